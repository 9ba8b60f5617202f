import Diagnostics
import Glibc

/// A file that grows at its end, one write a piece, so that a killed process leaves whole pieces and at most one torn one.
public final class AppendingFile {
  private let path: String
  private let descriptor: Int32

  /// Opens a file for appending, making it where missing.
  public init(path: String) throws {
    self.path = path
    descriptor = try SystemCall.check("open the file", path: path) {
      unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    }
  }

  deinit { close(descriptor) }

  /// Appends bytes at once.
  public func append(_ bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      offset += try SystemCall.check("write the file", path: path) {
        unsafe bytes.withUnsafeBytes { buffer in
          unsafe Glibc.write(descriptor, buffer.baseAddress! + offset, bytes.count - offset)
        }
      }
    }
  }

  /// Makes everything appended so far durable.
  public func synchronize() throws { try SystemCall.check("flush the file", path: path) { fsync(descriptor) } }
}

extension File {
  /// Cuts a file to its first `size` bytes and makes that durable.
  public static func truncate(_ path: String, to size: Int) throws {
    let descriptor = try SystemCall.check("open the file", path: path) { unsafe open(path, O_WRONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    try SystemCall.check("shorten the file", path: path) { ftruncate(descriptor, off_t(size)) }
    try SystemCall.check("flush the file", path: path) { fsync(descriptor) }
  }
}
