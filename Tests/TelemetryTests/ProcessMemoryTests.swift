import Files
import Telemetry
import TestSupport
import Testing

@Suite("The memory of a process") struct ProcessMemoryTests {
  private let root: TemporaryFolder

  /// A machine with 1000 KiB to give and a process that holds 200 KiB.
  init() throws {
    root = try TemporaryFolder()
    try write("MemTotal:        9000 kB\nMemAvailable:    1000 kB\n", to: "proc/meminfo")
    try write("Name:\tdecant\nRssAnon:\t     200 kB\nRssFile:\t     900 kB\n", to: "proc/self/status")
  }

  private func write(_ text: String, to path: String) throws {
    try File.makeFolder(File.folder(of: root.file(path)))
    _ = try root.write(text, to: path)
  }

  private var limit: Int? { ProcessMemory(root: root.path).limit }

  @Test("what the machine has to give counts on top of what the process holds") func machine() {
    #expect(limit == 1200 * 1024)
  }

  @Test("the lowest limit of the control groups above the process counts, where it is less") func controlGroups() throws
  {
    try write("0::/jobs/one\n", to: "proc/self/cgroup")
    try write("max\n", to: "sys/fs/cgroup/jobs/one/memory.max")
    #expect(limit == 1200 * 1024)
    try write("700000\n", to: "sys/fs/cgroup/jobs/memory.max")
    #expect(limit == 700_000)
    try write("600000\n", to: "sys/fs/cgroup/jobs/one/memory.max")
    #expect(limit == 600_000)
    try write("99000000\n", to: "sys/fs/cgroup/jobs/memory.max")
    try write("99000000\n", to: "sys/fs/cgroup/jobs/one/memory.max")
    #expect(limit == 1200 * 1024)
  }

  @Test("so do those of the first version of control groups") func controlGroupsOne() throws {
    try write("9:cpu,cpuacct:/jobs\n4:memory:/jobs\n0::/\n", to: "proc/self/cgroup")
    try write("500000\n", to: "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes")
    try write("9223372036854771712\n", to: "sys/fs/cgroup/memory/memory.limit_in_bytes")
    #expect(limit == 500_000)
  }

  @Test("a kernel that says nothing gives no limit") func silent() throws {
    #expect(ProcessMemory(root: root.file("nothing")).limit == nil)
  }

  @Test("of this process: the peak is at least what it holds, and follows what it takes") func own() throws {
    let before = ProcessMemory.peak
    #expect(before > 1 << 20)
    #expect(try #require(ProcessMemory().limit) > 1 << 20)
    // More than was ever resident, and written to.
    let taken = [UInt8](repeating: 1, count: before + 8 << 20)
    #expect(ProcessMemory.peak >= taken.count)
    #expect(taken.allSatisfy { $0 == 1 })
  }
}
