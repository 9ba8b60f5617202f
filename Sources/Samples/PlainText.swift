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

  /// The text with a line feed for each of `\r\n` and `\r`, and without byte order marks where lines begin (files that
  /// were joined have them there too); nil where it is so already.
  static func normalized(_ bytes: Span<UInt8>) -> [UInt8]? {
    guard bytes.indices.contains(where: { bytes[$0] == 0x0D || bytes[$0] == 0xEF && hasMark(bytes, at: $0) }) else {
      return nil
    }
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    var index = 0
    var beginsLine = true
    while index < bytes.count {
      if beginsLine && hasMark(bytes, at: index) {
        index += 3
        continue
      }
      var byte = bytes[index]
      index += 1
      if byte == 0x0D {
        byte = 0x0A
        if index < bytes.count && bytes[index] == 0x0A { index += 1 }
      }
      text.append(byte)
      beginsLine = byte == 0x0A
    }
    return text
  }
}
