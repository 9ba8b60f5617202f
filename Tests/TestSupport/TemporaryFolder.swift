import Files
import Glibc

/// A folder of its own for one test, removed with all it holds when this object goes.
public final class TemporaryFolder: Sendable {
  public let path: String

  public init() throws {
    let base = environment("TMPDIR") ?? "/tmp"
    var template = Array("\(base)/decant-test-XXXXXX".utf8CString)
    let made = unsafe template.withUnsafeMutableBufferPointer { unsafe mkdtemp($0.baseAddress!) != nil }
    precondition(made, "cannot make a temporary folder in \(base): errno \(errno)")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The path of an entry of this folder, which need not exist.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file into the folder and returns its path.
  public func write(_ text: String, to name: String) throws -> String {
    try write(Array(text.utf8), to: name)
  }

  /// Writes a file into the folder, over the one before, and returns its path. Tests need not wait for the disk, so
  /// nothing is made durable.
  public func write(_ bytes: [UInt8], to name: String) throws -> String {
    let path = file(name)
    try File.remove(path)
    try AppendingFile(path: path).append(bytes)
    return path
  }

  deinit { try? File.remove(path) }
}
