import Diagnostics
import Glibc

/// Memory that is a file without a name: the kernel may write it out, and nothing of it stays behind.
@safe public final class ScratchFile {
  private let bytes: UnsafeMutableRawBufferPointer

  /// - Parameter folder: The folder whose file system takes it.
  /// - Throws: a `Diagnostic` where there is no room for all of it.
  public init(byteCount: Int, in folder: String) throws {
    precondition(byteCount >= 0, "a file of \(byteCount) bytes")
    guard byteCount > 0 else {
      unsafe bytes = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      return
    }
    let descriptor = try TemporaryFile.open(in: folder)
    defer { close(descriptor) }
    // Room is taken now: a page that finds none later would end the process.
    let code = posix_fallocate(descriptor, 0, off_t(byteCount))
    if code != 0 { throw SystemCall.diagnostic(code: code, what: "make a temporary file", path: folder) }
    let base = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    guard unsafe base != MAP_FAILED else {
      throw SystemCall.diagnostic(code: errno, what: "map a temporary file of \(byteCount) bytes", path: folder)
    }
    unsafe bytes = UnsafeMutableRawBufferPointer(start: base, count: byteCount)
  }

  deinit { if let base = unsafe bytes.baseAddress { _ = unsafe munmap(base, bytes.count) } }

  /// Lends the bytes, which are zero at first.
  public func withBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows -> Result {
    try unsafe body(bytes)
  }
}
