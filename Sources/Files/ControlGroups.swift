/// What the control groups of this process allow it, as Linux tells it (cgroups(7)): the one reader of both versions of
/// their files.
///
/// A limit of a group holds for every group below it, so the smallest one counts of the process's own group and of those
/// around it. Groups that cannot be read, and numbers that make no sense, set no limit. Inside a container the path of
/// the group may be the host's, which is not there, while the container's own group is what is mounted: its limit counts
/// in any case.
public struct ControlGroups: Sendable {
  /// The file that lists the groups of the process.
  private let memberships: String
  /// Where control groups are mounted.
  private let mount: String

  /// - Parameter root: Stands before `/proc` and `/sys`; for tests, a folder that has its own.
  public init(root: String = "") {
    memberships = "\(root)/proc/self/cgroup"
    mount = "\(root)/sys/fs/cgroup"
  }

  /// Bytes of memory that the process may have; nil where no limit is set.
  public var memory: Int? {
    smallest(controller: "memory") { group, version in
      Self.firstLine(version == 2 ? "\(group)/memory.max" : "\(group)/memory.limit_in_bytes").flatMap { Int($0) }
    }
  }

  /// CPU time that the process may have in a moment of real time, as a number of CPUs, rounded up; nil where no limit is
  /// set.
  public var cpus: Int? {
    smallest(controller: "cpu") { group, version in
      if version == 2 {
        // Both numbers are in one file: "quota period".
        let numbers = Self.firstLine("\(group)/cpu.max")?.split(separator: " ") ?? []
        return numbers.count == 2 ? Self.wholeCPUs(quota: Int(numbers[0]), period: Int(numbers[1])) : nil
      }
      let numbers = ["cpu.cfs_quota_us", "cpu.cfs_period_us"].map { file in
        Self.firstLine("\(group)/\(file)").flatMap { Int($0) }
      }
      return Self.wholeCPUs(quota: numbers[0], period: numbers[1])
    }
  }

  /// Nil where one of them is no positive number: "max" of version 2, -1 of version 1.
  private static func wholeCPUs(quota: Int?, period: Int?) -> Int? {
    guard let quota, let period, quota > 0, period > 0 else { return nil }
    return (quota - 1) / period + 1
  }

  /// The smallest limit over all groups that the process is in, each with those around it.
  ///
  /// - Parameter limit: What the group of a folder sets, in files of version 1 or 2.
  private func smallest(controller: String, _ limit: (_ group: String, _ version: Int) -> Int?) -> Int? {
    Self.lines(memberships).compactMap { line -> Int? in
      // Number, controllers and path; version 2 has the number 0 and names no controllers.
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { return nil }
      let version = parts[0] == "0" && parts[1].isEmpty ? 2 : 1
      guard version == 2 || parts[1].split(separator: ",").contains(controller[...]) else { return nil }
      // Version 2 has a mount of its own beside version 1; version 1 has one for every set of controllers, often with a
      // link named after each of them.
      let mounts = version == 2 ? [mount, "\(mount)/unified"] : ["\(mount)/\(controller)", "\(mount)/\(parts[1])"]
      return mounts.flatMap { Self.around(parts[2], in: $0) }.compactMap { limit($0, version) }.min()
    }.min()
  }

  /// The folders of a group and of every one around it, up to the mount.
  private static func around(_ path: Substring, in mount: String) -> [String] {
    let names = path.split(separator: "/")
    // A path of a group outside the namespace climbs by "..", and would lead out of the mount.
    guard path.hasPrefix("/"), !names.contains("..") else { return [mount] }
    return (0...names.count).map { ([mount] + names.prefix($0).map(String.init)).joined(separator: "/") }
  }

  private static func firstLine(_ path: String) -> Substring? { lines(path).first }

  private static func lines(_ path: String) -> [Substring] {
    guard let bytes = try? File.readToEnd(path) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  }
}
