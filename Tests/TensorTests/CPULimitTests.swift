import CKernels
import Files
import TestSupport
import Testing

@Suite("CPU limits of control groups") struct CPULimitTests {
  private let folder: TemporaryFolder
  private static let none = Int(Int32.max)

  init() throws { folder = try TemporaryFolder() }

  /// The limit that a tree of files, named by their paths below the mount, gives a process of the listed groups.
  private func limit(_ memberships: String, _ files: [String: String]) throws -> Int {
    let root = folder.file("mount")
    try File.remove(root)
    try File.makeFolder(root)
    for (path, text) in files {
      try File.makeFolder("\(root)/\(path.split(separator: "/").dropLast().joined(separator: "/"))")
      _ = try folder.write(text, to: "mount/\(path)")
    }
    let list = try folder.write(memberships, to: "memberships")
    return Int(unsafe controlGroupCPUs(list, root))
  }

  @Test(
    "version 2: the smallest quota of the process's group and of those around it, rounded up",
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
  func version2(files: [String: String], expected: Int) throws {
    #expect(try limit("0::/a/b\n", files) == expected)
  }

  @Test(
    "version 1: quota over period of the cpu controller, under either name of its mount",
    arguments: [
      (["cpu/a/cpu.cfs_quota_us": "250000\n", "cpu/a/cpu.cfs_period_us": "100000\n"], 3),
      (["cpu,cpuacct/a/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "50000\n"], 2),
      (["cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"], 4),  // a container's own group
      (["cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"], none),
      (["cpu/a/cpu.cfs_quota_us": "100000\n"], none),
      (["cpuset/a/cpu.cfs_quota_us": "100000\n", "cpuset/a/cpu.cfs_period_us": "100000\n"], none),
      (["cpu/a/cpu.max": "100000 100000\n"], none),
    ])
  func version1(files: [String: String], expected: Int) throws {
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
      "99999999999999999999 100000", "100000 99999999999999999999", "9223372036854775807 1",
    ])
  func garbage(text: String) throws {
    #expect(try limit("0::/a\n", ["a/cpu.max": text]) == Self.none)
  }

  @Test("a list of groups that makes no sense sets no limit, nor does one that is not there") func noGroups() throws {
    let files = ["cpu.max": "100000 100000\n", "secret/cpu.max": "100000 100000\n"]
    for memberships in ["", "\n", "0", "0:", "garbage\n", "1::/\n", "0:cpuset:/\n"] {
      #expect(try limit(memberships, files) == Self.none, "\(memberships)")
    }
    #expect(Int(unsafe controlGroupCPUs(folder.file("nowhere"), folder.path)) == Self.none)
    #expect(try limit("junk\n0::/\n", files) == 1, "the other lines still count")
  }

  @Test("a group outside the namespace is taken for the root; nothing beside the mount is read") func climbing() throws
  {
    try File.makeFolder(folder.file("beside"))
    _ = try folder.write("100000 100000\n", to: "beside/cpu.max")
    try File.makeFolder(folder.file("mountain"))
    _ = try folder.write("100000 100000\n", to: "mountain/cpu.max")
    for path in ["/../beside", "/a/../../beside", "ain"] {
      #expect(try limit("0::\(path)\n", ["cpu.max": "600000 100000\n"]) == 6, "\(path)")
    }
  }
}
