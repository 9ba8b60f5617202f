/// Canonical composition (NFC) of texts most of whose characters are composed already, as nearly all texts are: only what
/// stands around the others is handed to the standard library. Qwen2 encodes Chinese as fast as it does without its
/// normalizer.
enum ComposedForm {
  /// Characters that composition leaves as they are, whatever stands around them, except that the last one before another
  /// character may take that up: of combining class 0, composed, and never the second part of a composed character; in
  /// Unicode 9 as in later ones. Not all there are, but those of most texts.
  static let inert: [ClosedRange<UInt32>] = [
    0x00...0x2FF, 0x388...0x3FF, 0x400...0x482, 0x48A...0x52F, 0x5D0...0x5EA, 0x620...0x64A, 0x904...0x939,
    0xE01...0xE30, 0x1E00...0x1EFF, 0x2010...0x2027, 0x2030...0x205E, 0x20A0...0x20BE, 0x2190...0x21FF, 0x2200...0x22FF,
    0x2460...0x25FF, 0x3001...0x3029, 0x3041...0x3096, 0x309B...0x30FF, 0x3400...0x4DB5, 0x4E00...0x9FD5,
    0xAC00...0xD7A3, 0xFF01...0xFF60, 0x1F300...0x1F64F,
  ]

  private static let isInert: [Bool] = {
    var table = [Bool](repeating: false, count: 0x20000)
    for range in inert { for value in range { table[Int(value)] = true } }
    return table
  }()

  /// The composed form of a text.
  ///
  /// - Parameter compose: Composes a part that begins where composition may begin.
  static func of(_ text: [UInt8], _ compose: (ArraySlice<UInt8>) -> [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    // Up to where the result has the text, and where the last inert character begins.
    var done = 0
    var last = 0
    var index = 0
    while findOther(text, from: &index, last: &last) {
      let start = max(last, done)
      while index < text.count {
        let next = isInert(text.span, index)
        if next.isInert { break }
        index += next.width
      }
      result.append(contentsOf: text[done..<start])
      result.append(contentsOf: compose(text[start..<index]))
      done = index
      last = index
    }
    return done == 0 ? text : result + text[done...]
  }

  /// Goes on to the next character that is not inert; false where there is none.
  private static func findOther(_ text: [UInt8], from index: inout Int, last: inout Int) -> Bool {
    let bytes = text.span
    while index < bytes.count {
      let next = isInert(bytes, index)
      if !next.isInert { return true }
      last = index
      index += next.width
    }
    return false
  }

  @inline(__always)
  private static func isInert(_ bytes: Span<UInt8>, _ index: Int) -> (isInert: Bool, width: Int) {
    if bytes[index] < 0x80 { return (true, 1) }
    let (scalar, width) = bytes.scalar(at: index)
    return (scalar.value < 0x20000 && isInert[Int(scalar.value)], width)
  }
}
