import Diagnostics
import Glibc

/// A file that grows at its end, one write a piece, so that a killed process leaves whole pieces and at most one torn one.
public final class AppendingFile {
  private let path: String
  private let descriptor: Int32

  /// Opens a file of the program's own for appending, making it where missing.
  ///
  /// - Throws: a `Diagnostic` where it cannot be opened, or a link or anything but a regular file stands at the path.
  public init(path: String) throws {
    self.path = path
    descriptor = try Opening.own(path, O_WRONLY | O_CREAT | O_APPEND, "open the file")
  }

  /// Opens what the user named for results and, where that is a file, keeps other writers out as long as this object
  /// lives, on file systems that have locks.
  ///
  /// - Parameter owner: What the lock protects, for the message, such as `the output answers.jsonl`.
  /// - Throws: a `Diagnostic` where it cannot be opened, or another process writes to it.
  public init(to destination: Destination, owner: String) throws {
    path = destination.path
    descriptor = try destination.open()
    // From here on deinit closes.
    if !destination.isStream { try FileLock.take(descriptor, path: path, owner: owner, isNeeded: false) }
  }

  deinit { close(descriptor) }

  /// Appends bytes at once.
  public func append(_ bytes: [UInt8]) throws {
    try unsafe bytes.withUnsafeBytes { try unsafe SystemCall.writeAll($0, to: descriptor, path: path) }
  }

  /// Makes everything appended so far durable.
  public func synchronize() throws { try SystemCall.synchronize(descriptor, "flush the file", path: path) }
}

extension File {
  /// Cuts a file, which is not reached through a link, to its first `size` bytes and makes that durable.
  public static func truncate(_ path: String, to size: Int) throws {
    let descriptor = try Opening.own(path, O_WRONLY, "open the file")
    defer { close(descriptor) }
    try SystemCall.check("shorten the file", path: path) { ftruncate(descriptor, off_t(size)) }
    try SystemCall.synchronize(descriptor, "flush the file", path: path)
  }
}
