import JSON

/// What of a plain text is no content: byte order marks, and how its lines end.
enum PlainText {
  /// The UTF-8 of U+FEFF.
  static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  /// True where a byte order mark begins at an offset.
  static func hasMark(_ bytes: Span<UInt8>, at offset: Int) -> Bool {
    offset + 3 <= bytes.count && bytes[offset] == 0xEF && bytes[offset + 1] == 0xBB && bytes[offset + 2] == 0xBF
  }

  /// The range without byte order marks at its start.
  static func withoutMark(_ range: Range<Int>, of bytes: Span<UInt8>) -> Range<Int> {
    var start = range.lowerBound
    while start + 3 <= range.upperBound && hasMark(bytes, at: start) { start += 3 }
    return start..<range.upperBound
  }

  /// True where ``writeWithLineFeeds(_:_:)`` may give other bytes.
  static func needsLineFeeds(_ bytes: Span<UInt8>) -> Bool {
    bytes.firstIndex(of: 0x0D, from: 0) != nil || bytes.firstIndex(of: byteOrderMark, from: 0) != nil
  }

  /// Lends the text to `body` with a line feed for each of `\r\n` and `\r`, and without byte order marks where lines
  /// begin (files that were joined have them there too), piece by piece.
  static func writeWithLineFeeds(
    _ buffer: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let bytes = unsafe Span<UInt8>(_unsafeBytes: buffer)
    var start = 0
    var index = 0
    func give(upTo end: Int) throws {
      if start < end { try unsafe body(UnsafeRawBufferPointer(rebasing: buffer[start..<end])) }
    }
    let lineFeed: [UInt8] = [0x0A]
    var beginsLine = true
    while index < bytes.count {
      if beginsLine && hasMark(bytes, at: index) {
        try give(upTo: index)
        index += 3
        start = index
      } else if bytes[index] == 0x0D {
        try give(upTo: index)
        index += index + 1 < bytes.count && bytes[index + 1] == 0x0A ? 2 : 1
        start = index
        try unsafe lineFeed.withUnsafeBytes { unsafe try body($0) }
        beginsLine = true
      } else {
        beginsLine = bytes[index] == 0x0A
        index += 1
      }
    }
    try give(upTo: index)
  }

  /// The bytes as text, nil where they are not UTF-8.
  static func text(_ bytes: Span<UInt8>) -> String? {
    unsafe bytes.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
  }
}
