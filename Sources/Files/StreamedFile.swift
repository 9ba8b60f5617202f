import Diagnostics
import Glibc

/// The bytes of a file, a pipe or standard input, once, from front to end, a piece at a time: for what may be larger than any
/// memory or disk. For one thread at a time.
///
/// A named pipe is waited for until somebody opens it to write.
@safe public final class StreamedFile {
  /// What messages call it.
  public let path: String
  private let descriptor: Int32
  private let check: () throws -> Void
  private var buffer: [UInt8]
  /// What has been read of ``buffer`` and is not handed out yet.
  private var rest: Range<Int> = 0..<0
  private var isAtEnd = false

  private static let pieceSize = 1 << 20
  /// The longest line that is taken.
  private static let longestLine = 1 << 32 - 1

  /// - Parameters:
  ///   - path: Of a file or a named pipe; `-` is standard input.
  ///   - check: Called some times a second while a pipe is waited for; what it throws ends the reading.
  /// - Throws: a `Diagnostic` where it cannot be opened, or is compressed.
  public init(_ path: String, check: @escaping () throws -> Void = {}) throws {
    self.path = path == "-" ? "standard input" : path
    self.check = check
    buffer = [UInt8](repeating: 0, count: Self.pieceSize)
    if path == "-" {
      descriptor = dup(STDIN_FILENO)
      guard descriptor >= 0 else { throw SystemCall.diagnostic(code: errno, what: "read", path: self.path) }
    } else {
      descriptor = unsafe open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
      guard descriptor >= 0 else { throw SystemCall.diagnostic(code: errno, what: "open", path: path) }
      guard FileKind(at: path, following: true) != .folder else {
        close(descriptor)
        throw Diagnostic.input("is a folder, not a file", file: path, remedy: "name a file in it")
      }
    }
    try fill()
    let compression = unsafe buffer.withUnsafeBytes { bytes in
      unsafe Compression(UnsafeRawBufferPointer(rebasing: bytes[rest]))
    }
    guard let compression else { return }
    throw Diagnostic.input(
      "is compressed (\(compression.rawValue))", file: self.path,
      remedy: "hand it over unpacked: \(compression == .gzip ? "zcat" : "zstdcat") FILE | decant ... --from -")
  }

  deinit { close(descriptor) }

  /// Puts the next line into `line`, without what ends it; false at the end.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read, or the line is longer than 4 GB.
  public func readLine(_ line: inout [UInt8]) throws -> Bool {
    line.removeAll(keepingCapacity: true)
    while true {
      if rest.isEmpty { try fill() }
      if rest.isEmpty { return !line.isEmpty }
      let end = unsafe buffer.withUnsafeBytes { bytes -> Int? in
        let start = unsafe bytes.baseAddress! + rest.lowerBound
        let found = unsafe memchr(start, Int32(UInt8(ascii: "\n")), rest.count)
        return unsafe found.map { unsafe UnsafeRawPointer($0) - bytes.baseAddress! }
      }
      line += buffer[rest.lowerBound..<(end ?? rest.upperBound)]
      rest = (end.map { $0 + 1 } ?? rest.upperBound)..<rest.upperBound
      if end != nil {
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return true
      }
      guard line.count <= Self.longestLine else {
        throw Diagnostic.input("has a line of more than 4 GB", file: path, remedy: "check that it is JSONL")
      }
    }
  }

  /// Appends so many bytes to `bytes`, or as many as there are left.
  ///
  /// - Returns: How many.
  public func read(_ count: Int, appendingTo bytes: inout [UInt8]) throws -> Int {
    var left = count
    while left > 0 {
      if rest.isEmpty { try fill() }
      if rest.isEmpty { break }
      let part = rest.prefix(left)
      bytes += buffer[part]
      rest = part.upperBound..<rest.upperBound
      left -= part.count
    }
    return count - left
  }

  private func fill() throws {
    guard !isAtEnd else { return }
    while true {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = unsafe poll(&waiting, 1, 200)
      try check()
      if ready == 0 || ready < 0 && errno == EINTR { continue }
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
      guard count >= 0 else { throw SystemCall.diagnostic(code: errno, what: "read", path: path) }
      rest = 0..<count
      isAtEnd = count == 0
      return
    }
  }
}
