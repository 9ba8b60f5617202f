/// The words of GPT-2 in texts of ASCII, which is what most texts are: the pattern of ``PreTokenizer/gpt2Pattern`` written
/// out, match for match.
enum GPT2Words {
  /// What a byte is to the pattern.
  private static let letter: UInt8 = 0, digit: UInt8 = 1, other: UInt8 = 2, space: UInt8 = 3
  private static let kinds: [UInt8] = (0..<256).map { byte in
    switch UInt8(byte) {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): letter
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit
    case 0x20, 0x09...0x0D: space
    default: other
    }
  }

  /// Appends the words of a range; false, with nothing appended, where a character there is not of ASCII.
  static func split(_ bytes: Span<UInt8>, _ range: Range<Int>, into words: inout [Range<Int>]) -> Bool {
    let part = bytes.extracting(range)
    var all: UInt8 = 0
    for index in part.indices { all |= part[index] }
    if all >= 0x80 { return false }
    words.reserveCapacity(words.count + part.count / 3 + 1)
    let kinds = Self.kinds
    let table = kinds.span
    var start = 0
    while start < part.count {
      let stop = end(of: start, part, table)
      words.append(range.lowerBound + start..<range.lowerBound + stop)
      start = stop
    }
    return true
  }

  /// Where the word that begins at `start` ends.
  private static func end(of start: Int, _ bytes: Span<UInt8>, _ kinds: Span<UInt8>) -> Int {
    let end = bytes.count
    let head = bytes[start]
    if head == UInt8(ascii: "'"), let length = contraction(start, end, bytes) { return start + length }
    // One space belongs to what follows it.
    let first = head == 0x20 && start + 1 < end ? start + 1 : start
    let kind = kinds[Int(bytes[first])]
    if kind != space {
      var stop = first + 1
      while stop < end, kinds[Int(bytes[stop])] == kind { stop += 1 }
      return stop
    }
    var stop = start + 1
    while stop < end, kinds[Int(bytes[stop])] == space { stop += 1 }
    // The last space before something else is left to that, unless it is the only one.
    return stop < end && stop > start + 1 ? stop - 1 : stop
  }

  /// The length of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d`, which are words of their own.
  private static func contraction(_ start: Int, _ end: Int, _ bytes: Span<UInt8>) -> Int? {
    guard start + 1 < end else { return nil }
    let next = start + 2 < end ? bytes[start + 2] : 0
    switch bytes[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"): return next == UInt8(ascii: "e") ? 3 : nil
    case UInt8(ascii: "l"): return next == UInt8(ascii: "l") ? 3 : nil
    default: return nil
    }
  }
}
