import Diagnostics
import Files
import Glibc

/// A hold on one version, of any number of readers in any number of processes: a shared lock on a file of its own,
/// given up with the object or by the kernel when the process dies.
final class Pin: Sendable {
  private let descriptor: Int32

  static func path(_ version: Int, in directory: String) -> String { "\(directory)/pins/\(version)" }

  /// Waits out a prune that is removing the version right now; the caller then looks whether it is still there.
  init(_ version: Int, in directory: String) throws {
    try File.makeFolder("\(directory)/pins")
    let path = Self.path(version, in: directory)
    descriptor = unsafe open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.diagnostic(path) }
    while flock(descriptor, LOCK_SH) != 0 {
      if errno == EINTR { continue }
      let diagnostic = Self.diagnostic(path)
      close(descriptor)
      throw diagnostic
    }
  }

  deinit { close(descriptor) }

  /// Runs `body` while nobody holds the version and removes its file; false without running it where somebody does.
  static func whileFree(_ version: Int, in directory: String, _ body: () throws -> Void) throws -> Bool {
    try File.makeFolder("\(directory)/pins")
    let path = path(version, in: directory)
    let descriptor = unsafe open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw diagnostic(path) }
    defer { close(descriptor) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return false }
    try body()
    try File.remove(path)
    return true
  }

  private static func diagnostic(_ path: String) -> Diagnostic {
    .failure("cannot hold the version: \(unsafe String(cString: strerror(errno)))", file: path)
  }
}
