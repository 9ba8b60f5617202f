/// A pattern whose matches are found without PCRE2, in less time.
enum DirectPattern: Sendable {
  /// A text that is not empty.
  case literal([UInt8])
  case words(WordPattern)

  /// Calls `body` with the range of every match within a range of well-formed UTF-8, from left to right.
  func forEachMatch(in bytes: Span<UInt8>, _ range: Range<Int>, _ body: (Range<Int>) throws -> Void) rethrows {
    switch self {
    case .words(let pattern): try pattern.forEachWord(in: bytes, range, body)
    case .literal(let text):
      // A character begins with no byte that is within another: bytes match where characters do.
      let wanted = text.span
      var index = range.lowerBound
      while index + wanted.count <= range.upperBound {
        var count = 0
        while count < wanted.count, bytes[index + count] == wanted[count] { count += 1 }
        if count == wanted.count {
          try body(index..<index + count)
          index += count
        } else {
          index += 1
        }
      }
    }
  }
}
