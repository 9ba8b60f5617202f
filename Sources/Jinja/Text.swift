/// A string as Python has it: a sequence of code points, which compare one by one. Kept as UTF-8, whose bytes sort in
/// the same order; never by canonical equivalence, as Swift's strings compare.
struct Text: Sendable {
  var bytes: [UInt8]
  /// Whether it is `Markup`, as `safe` and `escape` make it: plain strings that it is put together with are escaped.
  var isMarkup = false

  init(_ bytes: [UInt8]) { self.bytes = bytes }
  init(_ bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }
  init(_ string: String) { bytes = Array(string.utf8) }
  init(_ scalar: Unicode.Scalar) { bytes = Array(UTF8.encode(scalar)!) }

  var string: String { String(decoding: bytes, as: UTF8.self) }
  var isEmpty: Bool { bytes.isEmpty }
  var isASCII: Bool { bytes.allSatisfy { $0 < 0x80 } }

  /// Number of code points.
  var count: Int { Self.count(bytes[...]) }

  static func count(_ bytes: ArraySlice<UInt8>) -> Int {
    var count = 0
    for byte in bytes where byte & 0xC0 != 0x80 { count += 1 }
    return count
  }

  /// The text, marked where another one is.
  func marked(like other: Text) -> Text {
    var text = self
    text.isMarkup = other.isMarkup
    return text
  }

  /// The code points, decoded.
  var scalars: String.UnicodeScalarView { string.unicodeScalars }

  static func + (a: Text, b: Text) -> Text { Text(a.bytes + b.bytes) }
}

extension Text: Hashable {
  static func == (a: Text, b: Text) -> Bool { a.bytes == b.bytes }

  func hash(into hasher: inout Hasher) {
    unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }
}

extension Text: Comparable {
  static func < (a: Text, b: Text) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

extension Text: ExpressibleByStringLiteral {
  init(stringLiteral value: String) { self.init(value) }
}

// MARK: Code points by position

extension Text {
  /// The offset of the byte that a code point begins at; the end for the code point behind the last.
  func offset(of position: Int) -> Int {
    if isASCII { return position }
    var left = position
    var offset = 0
    while offset < bytes.count, left > 0 {
      offset += Self.length(bytes[offset])
      left -= 1
    }
    return offset
  }

  /// The position of the code point that begins at an offset.
  func position(at offset: Int) -> Int { Self.count(bytes[..<offset]) }

  /// The code points of a range of positions.
  func part(_ range: Range<Int>) -> Text {
    let start = offset(of: range.lowerBound)
    if isASCII { return Text(bytes[range]) }
    var end = start
    for _ in range where end < bytes.count { end += Self.length(bytes[end]) }
    return Text(bytes[start..<end])
  }

  /// Bytes of a code point by the first of them.
  static func length(_ first: UInt8) -> Int {
    first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
  }

  /// The code points one by one, each as a text.
  var characters: [Text] {
    var characters: [Text] = []
    var offset = 0
    while offset < bytes.count {
      let end = offset + Self.length(bytes[offset])
      characters.append(Text(bytes[offset..<end]))
      offset = end
    }
    return characters
  }

  /// The code point that begins at an offset.
  func scalar(at offset: Int) -> Unicode.Scalar { Self.scalar(bytes, at: offset) }

  /// The code point that begins at an offset of some UTF-8.
  static func scalar(_ bytes: [UInt8], at offset: Int) -> Unicode.Scalar {
    let first = UInt32(bytes[offset])
    func next(_ step: Int) -> UInt32 { UInt32(bytes[offset + step] & 0x3F) }
    let value: UInt32 =
      switch length(bytes[offset]) {
      case 1: first
      case 2: (first & 0x1F) << 6 | next(1)
      case 3: (first & 0x0F) << 12 | next(1) << 6 | next(2)
      default: (first & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3)
      }
    return Unicode.Scalar(value) ?? "\u{FFFD}"
  }

  /// The offset of the code point that ends before an offset.
  func before(_ offset: Int) -> Int {
    var start = offset - 1
    while bytes[start] & 0xC0 == 0x80 { start -= 1 }
    return start
  }
}
