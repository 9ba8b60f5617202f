import Files
import TestSupport
import Testing

@Suite("Control groups") struct ControlGroupsTests {
  private let folder: TemporaryFolder
  private static let none: Int? = nil

  init() throws { folder = try TemporaryFolder() }

  /// The groups of a process that the listed memberships and a tree of files, named by their paths below the mount, make.
  private func groups(_ memberships: String, _ files: [String: String]) throws -> ControlGroups {
    let mount = folder.file("sys/fs/cgroup")
    try File.remove(mount)
    for (path, text) in files { try write(text, to: "sys/fs/cgroup/\(path)") }
    try write(memberships, to: "proc/self/cgroup")
    return ControlGroups(root: folder.path)
  }

  private func limit(_ memberships: String, _ files: [String: String]) throws -> Int? {
    try groups(memberships, files).cpus
  }

  private func write(_ text: String, to path: String) throws {
    try File.makeFolder(File.folder(of: folder.file(path)))
    _ = try folder.write(text, to: path)
  }

  @Test(
    "of version 2 the smallest quota counts of the process's group and of those around it, rounded up",
    arguments: [
      (["cpu.max": "300000 100000\n"], 3),
      (["a/b/cpu.max": "150000 100000\n"], 2),
      (["a/b/cpu.max": "400000 100000\n", "a/cpu.max": "200000 100000\n"], 2),
      (["a/b/cpu.max": "50000 100000\n", "a/cpu.max": "200000 100000\n"], 1),
      (["a/b/cpu.max": "max 100000\n", "a/cpu.max": "700000 100000\n", "cpu.max": "900000 100000\n"], 7),
      (["a/b/cpu.max": "max 100000\n", "a/cpu.max": "max 100000\n"], none),
      (["a/b/c/cpu.max": "100000 100000\n", "a/d/cpu.max": "100000 100000\n"], none),  // others' groups
      (["unified/a/cpu.max": "500000 100000\n"], 5),
      ([:], none),
    ])
  func version2(
    files: [String: String], expected: Int?
  ) throws {
    #expect(try limit("0::/a/b\n", files) == expected)
  }

  @Test(
    "of version 1 quota over period of the cpu controller counts, under either name of its mount",
    arguments: [
      (["cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"], 3),
      (["cpu,cpuacct/a/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "50000\n"], 2),
      (["cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"], 4),  // a container's own group
      (["cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"], none),
      (["cpu/a/cpu.cfs_quota_us": "100000\n"], none),
      (["cpuset/a/cpu.cfs_quota_us": "100000\n", "cpuset/a/cpu.cfs_period_us": "100000\n"], none),
      (["cpu/a/cpu.max": "100000 100000\n"], none),
    ])
  func version1(
    files: [String: String], expected: Int?
  ) throws {
    #expect(try limit("5:cpuset:/a\n4:cpu,cpuacct:/a\n1:name=systemd:/a\n", files) == expected)
  }

  @Test("where both versions are mounted, the smaller limit counts") func both() throws {
    let files = [
      "unified/a/cpu.max": "300000 100000\n", "cpu/b/cpu.cfs_quota_us": "200000\n",
      "cpu/b/cpu.cfs_period_us": "100000\n",
    ]
    #expect(try limit("4:cpu:/b\n0::/a\n", files) == 2)
    #expect(try limit("4:memory:/b\n0::/a\n", files) == 3)
  }

  @Test(
    "quotas that make no sense set no limit",
    arguments: [
      "", "\n", "max", "-1 100000", "0 100000", "100000", "100000 0", "100000 -5", "1e5 100000", "100000 x", "x y",
      "99999999999999999999 100000", "100000 99999999999999999999",
    ])
  func garbage(text: String) throws {
    #expect(try limit("0::/a\n", ["a/cpu.max": text]) == Self.none)
  }

  @Test("the largest quota is no overflow") func largest() throws {
    #expect(try limit("0::/a\n", ["a/cpu.max": "9223372036854775807 1"]) == .max)
    #expect(try limit("0::/a\n", ["a/cpu.max": "9223372036854775807 9223372036854775807"]) == 1)
  }

  @Test("a list of groups that makes no sense sets no limit, nor does one that is not there") func noGroups() throws {
    let files = ["cpu.max": "100000 100000\n", "secret/cpu.max": "100000 100000\n"]
    for memberships in ["", "\n", "0", "0:", "garbage\n", "1::/\n", "0:cpuset:/\n"] {
      #expect(try limit(memberships, files) == Self.none, "\(memberships)")
    }
    #expect(ControlGroups(root: folder.file("nowhere")).cpus == Self.none)
    #expect(try limit("junk\n0::/\n", files) == 1, "the other lines still count")
  }

  @Test("a group outside the namespace is taken for the root, and nothing beside the mount is read") func climbing()
    throws
  {
    try write("100000 100000\n", to: "sys/fs/beside/cpu.max")
    try write("100000 100000\n", to: "sys/fs/cgroupain/cpu.max")
    for path in ["/../beside", "/a/../../beside", "ain"] {
      #expect(try limit("0::\(path)\n", ["cpu.max": "600000 100000\n"]) == 6, "\(path)")
    }
  }

  @Test("memory is limited by the group and by those around it, in either version") func memory() throws {
    #expect(try groups("0::/a/b\n", ["a/b/memory.max": "max\n"]).memory == nil)
    #expect(try groups("0::/a/b\n", ["a/b/memory.max": "max\n", "a/memory.max": "700\n"]).memory == 700)
    #expect(try groups("0::/a/b\n", ["a/b/memory.max": "600\n", "a/memory.max": "700\n"]).memory == 600)
    #expect(try groups("0::/a\n", ["a/b/memory.max": "600\n", "c/memory.max": "700\n"]).memory == nil)
    let files = [
      "memory/a/memory.limit_in_bytes": "500\n", "memory/memory.limit_in_bytes": "9223372036854771712\n",
      "unified/b/memory.max": "400\n",
    ]
    #expect(try groups("4:memory:/a\n3:cpu:/a\n", files).memory == 500)
    #expect(try groups("4:memory:/a\n0::/b\n", files).memory == 400)
    #expect(try groups("4:cpu:/a\n", files).memory == nil)
    #expect(try groups("4:memory:/../a\n", files).memory == 9_223_372_036_854_771_712)
  }
}
