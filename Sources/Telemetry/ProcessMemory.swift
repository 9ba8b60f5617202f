import Files
import Glibc

/// What memory this process uses and may use, in bytes, as Linux tells it.
public struct ProcessMemory: Sendable {
  /// Stands before `/proc` and `/sys`.
  private let root: String

  public init() { self.init(root: "") }

  /// - Parameter root: A folder with `proc` and `sys/fs/cgroup` of its own, for tests.
  package init(root: String) { self.root = root }

  /// Largest resident memory so far (`ru_maxrss`). Pages of mapped files count, such as those of a cache.
  public static var peak: Int {
    var usage = rusage()
    _ = unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) * 1024
  }

  /// How large this process could become without swapping or being killed: what the machine has to give
  /// (`MemAvailable`) and the anonymous memory held already, or the lowest limit of the process's control groups where
  /// that is less. Nil where the kernel says neither.
  public var limit: Int? {
    let machine = kibibytes("MemAvailable", in: "/proc/meminfo").map {
      $0 + (kibibytes("RssAnon", in: "/proc/self/status") ?? 0)
    }
    return [machine, ControlGroups(root: root).memory].compactMap(\.self).min()
  }

  /// The number behind `name:` in a file of lines such as `MemAvailable: 123 kB`, in bytes.
  private func kibibytes(_ name: String, in path: String) -> Int? {
    lines(path).first { $0.hasPrefix("\(name):") }
      .flatMap { Int($0.dropFirst(name.count + 1).drop { $0 == " " || $0 == "\t" }.prefix { $0.isNumber }) }
      .map { $0 * 1024 }
  }

  private func lines(_ path: String) -> [Substring] {
    guard let bytes = try? File.readToEnd("\(root)\(path)") else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
  }
}
