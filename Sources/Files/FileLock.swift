import Diagnostics
import Glibc

/// An exclusive lock on a file, held while this object lives and released by the kernel when the process dies.
public final class FileLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock at once, or fails; the file is made where missing and holds the owner's process id.
  ///
  /// - Parameter owner: What the lock protects, for the message, such as `the run folder runs/a`.
  /// - Throws: a `Diagnostic` of category `input` that names the process holding it.
  public init(path: String, owner: String) throws {
    let descriptor = try SystemCall.check("open the lock", path: path) {
      unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      let holder = (try? File.read(path)).flatMap { String(validating: $0, as: UTF8.self) } ?? ""
      throw Diagnostic.input(
        "\(owner) is in use by \(holder.isEmpty ? "another process" : "process \(holder)")", file: path,
        remedy: "wait for it, stop it, or choose another folder")
    }
    self.descriptor = descriptor
    let text = Array("\(getpid())".utf8)
    _ = ftruncate(descriptor, 0)
    _ = unsafe text.withUnsafeBytes { bytes in unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, 0) }
  }

  deinit { close(descriptor) }
}
