import Diagnostics
import Glibc

/// A whole file mapped read-only, for as long as this object lives.
@safe public final class MappedFile: @unchecked Sendable {
  // Sendable: the mapping is immutable and unmapped only in deinit.
  public let path: String
  /// The file's bytes; valid while this object lives.
  public let bytes: UnsafeRawBufferPointer

  /// Maps a file; an empty file gives empty bytes.
  ///
  /// - Throws: a `Diagnostic` when the file cannot be opened or mapped.
  public init(path: String) throws {
    self.path = path
    let descriptor = try SystemCall.check("open the file", path: path) { unsafe open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    var status = stat()
    try SystemCall.check("read the file's size", path: path) { unsafe fstat(descriptor, &status) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw Diagnostic.input("is not a regular file", file: path) }
    let size = Int(status.st_size)
    guard size > 0 else {
      unsafe bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    let base = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard unsafe base != MAP_FAILED else {
      throw SystemCall.diagnostic(code: errno, what: "map the file", path: path)
    }
    unsafe bytes = UnsafeRawBufferPointer(start: base, count: size)
  }

  deinit {
    if let base = unsafe bytes.baseAddress { _ = unsafe munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }
}
