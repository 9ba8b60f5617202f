/// The words of BERT (Google's `tokenization.py`), as the pre-tokenizer `BertPreTokenizer` cuts them: white space parts
/// them and is left out, and every punctuation character is a word of its own.
enum BertWords {
  private enum Kind: UInt8 { case word, punctuation, space, beyondASCII }

  private static let kinds: [Kind] = (0..<256).map { byte in
    switch UInt8(byte) {
    case 0x80...: .beyondASCII
    case 0x20, 0x09...0x0D: .space
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: .punctuation
    default: .word
    }
  }

  /// The kinds of all characters below U+10000. Made with the first character that is not of ASCII, in milliseconds.
  private static let wideKinds: [Kind] = (0..<0x10000).map { Unicode.Scalar($0).map(kind) ?? .word }

  /// Appends the words of a range of UTF-8.
  static func split(_ bytes: Span<UInt8>, _ range: Range<Int>, into words: inout [Range<Int>]) {
    words.reserveCapacity(words.count + range.count / 4 + 1)
    let kinds = Self.kinds
    let table = kinds.span
    var start = range.lowerBound
    var index = start
    while index < range.upperBound {
      var kind = table[Int(bytes[index])]
      var width = 1
      if kind == .beyondASCII {
        let scalar: Unicode.Scalar
        (scalar, width) = bytes.scalar(at: index)
        kind = scalar.value < 0x10000 ? wideKinds[Int(scalar.value)] : self.kind(scalar)
      }
      if kind != .word {
        if start < index { words.append(start..<index) }
        if kind == .punctuation { words.append(index..<index + width) }
        start = index + width
      }
      index += width
    }
    if start < range.upperBound { words.append(start..<range.upperBound) }
  }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    // Ideographs and syllables of Hangul, three quarters of what there is.
    if (0x3400...0x4DB5).contains(scalar.value) || (0x4E00...0x9FD5).contains(scalar.value)
      || (0xAC00...0xD7A3).contains(scalar.value)
    {
      return .word
    }
    if scalar.properties.isWhitespace { return .space }
    return NewerCharacters.isPunctuation(scalar) ? .punctuation : .word
  }
}

extension Span<UInt8> {
  /// The character that begins at an index of well-formed UTF-8, and its bytes.
  func scalar(at index: Int) -> (scalar: Unicode.Scalar, width: Int) {
    let lead = self[index]
    let width = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    var value = UInt32(lead) & (width == 1 ? 0x7F : 0xFF >> UInt32(width + 1))
    for offset in 1..<max(width, 1) { value = value << 6 | UInt32(self[index + offset] & 0x3F) }
    return (Unicode.Scalar(value) ?? "\u{FFFD}", width)
  }
}
