import CZlib
import CZstd
import Diagnostics

/// How a file is compressed, told by its first bytes, whatever its name.
public enum Compression: String, Sendable, CaseIterable {
  /// One or more members of RFC 1952, by zlib.
  case gzip
  /// One or more frames of RFC 8878, skippable ones among them, by libzstd.
  case zstd

  /// Nil for bytes that begin as neither does.
  public init?(_ bytes: UnsafeRawBufferPointer) {
    if unsafe bytes.starts(with: Self.gzipMark) {
      self = .gzip
    } else if unsafe bytes.starts(with: Self.zstdMark) || Self.isSkippable(bytes) {
      self = .zstd
    } else {
      return nil
    }
  }

  private static let gzipMark: [UInt8] = [0x1F, 0x8B]
  private static let zstdMark: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]

  /// A frame that holds no content, as parallel packers write first.
  private static func isSkippable(_ bytes: UnsafeRawBufferPointer) -> Bool {
    unsafe bytes.count >= 8 && bytes[0] & 0xF0 == 0x50 && bytes[1..<4].elementsEqual([0x2A, 0x4D, 0x18])
  }

  /// Bytes that `body` is lent at most at a time.
  private static let pieceSize = 1 << 18

  /// Lends all that was compressed to `body`, piece by piece: a window of the format and one piece are held, whatever the
  /// size.
  ///
  /// - Parameters:
  ///   - bytes: The whole compressed file.
  ///   - file: Its name, for messages.
  /// - Throws: a `Diagnostic` of category `input` where the file is damaged, cut short, or has something else behind
  ///   what was compressed; and what `body` throws.
  public func decompress(
    _ bytes: UnsafeRawBufferPointer, file: String, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceSize, alignment: 64)
    defer { unsafe piece.deallocate() }
    let fault: Fault?
    switch self {
    case .gzip: fault = unsafe try Self.inflate(bytes, piece, body)
    case .zstd: fault = unsafe try Self.decompress(bytes, piece, body)
    }
    if let fault { throw diagnostic(fault, file: file) }
  }

  // MARK: What can be wrong

  private enum Fault {
    case cutShort
    case trailing(offset: Int)
    case damaged(String)
    case windowTooLarge
    case noMemory
  }

  private func diagnostic(_ fault: Fault, file: String) -> Diagnostic {
    let tool = self == .gzip ? "gzip -t" : "zstd -t"
    switch fault {
    case .cutShort:
      return .input(
        "is \(rawValue)-compressed and ends in the middle: it was cut short", file: file,
        remedy: "copy or download it again; \(tool) tells whether it is whole")
    case .trailing(let offset):
      return .input(
        "has something else than \(rawValue) behind its compressed data, from byte \(offset) on", file: file,
        remedy: "copy or download it again, or cut it there: head -c \(offset)")
    case .damaged(let reason):
      return .input(
        "is \(rawValue)-compressed and damaged: \(reason)", file: file,
        remedy: "copy or download it again; \(tool) tells whether it is whole")
    case .windowTooLarge:
      return .input(
        "was compressed with a window of more than 128 MiB", file: file,
        remedy: "decompress it (unzstd --long=31) and name the file that gives")
    case .noMemory:
      return .failure("cannot be decompressed: there is no memory for it", file: file, remedy: "end other programs")
    }
  }

  // MARK: gzip

  private static func inflate(
    _ bytes: UnsafeRawBufferPointer, _ piece: UnsafeMutableRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Fault? {
    var stream = unsafe z_stream()
    // 16 more than the largest window asks for a gzip header.
    let begun = unsafe inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard begun == Z_OK else { return .noMemory }
    defer { _ = unsafe inflateEnd(&stream) }
    var offset = 0
    while true {
      // zlib counts in 32 bits.
      let given = min(bytes.count - offset, 1 << 30)
      unsafe stream.next_in = unsafe UnsafeMutablePointer(
        mutating: (bytes.baseAddress! + offset).assumingMemoryBound(to: UInt8.self))
      unsafe stream.avail_in = UInt32(given)
      unsafe stream.next_out = piece.baseAddress!.assumingMemoryBound(to: UInt8.self)
      unsafe stream.avail_out = UInt32(piece.count)
      let code = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
      let taken = given - Int(unsafe stream.avail_in)
      let made = piece.count - Int(unsafe stream.avail_out)
      offset += taken
      if made > 0 { try unsafe body(UnsafeRawBufferPointer(rebasing: piece[..<made])) }
      switch code {
      case Z_STREAM_END:
        let rest = unsafe bytes[offset...]
        // Zeros fill the last block of a tape; gzip passes over them too.
        if unsafe rest.allSatisfy({ $0 == 0 }) { return nil }
        guard unsafe rest.starts(with: gzipMark) else { return .trailing(offset: offset) }
        guard unsafe inflateReset(&stream) == Z_OK else { return .noMemory }
      case Z_OK: if taken == 0 && made == 0 { return .cutShort }
      case Z_BUF_ERROR: return .cutShort
      case Z_MEM_ERROR: return .noMemory
      case Z_NEED_DICT: return .damaged("it wants a dictionary")
      default: return .damaged(unsafe stream.msg.map { unsafe String(cString: $0) } ?? "zlib's error \(code)")
      }
    }
  }

  // MARK: zstd

  private static func decompress(
    _ bytes: UnsafeRawBufferPointer, _ piece: UnsafeMutableRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Fault? {
    guard let stream = unsafe ZSTD_createDStream() else { return .noMemory }
    defer { _ = unsafe ZSTD_freeDStream(stream) }
    var input = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    // Where the frame at hand begins.
    var start = 0
    while true {
      let before = unsafe input.pos
      var output = unsafe ZSTD_outBuffer(dst: piece.baseAddress, size: piece.count, pos: 0)
      let code = unsafe ZSTD_decompressStream(stream, &output, &input)
      let made = unsafe output.pos, taken = unsafe input.pos
      if ZSTD_isError(code) != 0 {
        switch ZSTD_getErrorCode(code) {
        case ZSTD_error_prefix_unknown where start > 0: return .trailing(offset: start)
        case ZSTD_error_frameParameter_windowTooLarge: return .windowTooLarge
        case ZSTD_error_memory_allocation: return .noMemory
        default: return .damaged(unsafe String(cString: ZSTD_getErrorName(code)))
        }
      }
      if made > 0 { try unsafe body(UnsafeRawBufferPointer(rebasing: piece[..<made])) }
      if code == 0 {
        start = taken
        if taken == bytes.count { return nil }
      }
      if made == 0 && taken == before {
        let rest = bytes.count - start
        return start > 0 && rest < 4 ? .trailing(offset: start) : .cutShort
      }
    }
  }
}
