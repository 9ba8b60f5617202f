/// The words of GPT-2 in texts of ASCII, which is what most texts are: the pattern of ``PreTokenizer/gpt2Pattern`` written
/// out, match for match.
enum GPT2Words {
  private enum Kind {
    case letter, digit, space, other

    init(_ byte: UInt8) {
      if (byte | 0x20) &- UInt8(ascii: "a") < 26 {
        self = .letter
      } else if byte == 0x20 || byte &- 0x09 < 5 {
        self = .space
      } else if byte &- UInt8(ascii: "0") < 10 {
        self = .digit
      } else {
        self = .other
      }
    }
  }

  /// Appends the words of a range; false, with nothing appended, where a character there is not of ASCII.
  static func split(_ bytes: Span<UInt8>, _ range: Range<Int>, into words: inout [Range<Int>]) -> Bool {
    let end = range.upperBound
    for index in range where bytes[index] >= 0x80 { return false }
    words.reserveCapacity(words.count + range.count / 4 + 1)
    var start = range.lowerBound
    while start < end {
      let stop = self.end(of: start, upTo: end, bytes)
      words.append(start..<stop)
      start = stop
    }
    return true
  }

  /// Where the word that begins at `start` ends.
  private static func end(of start: Int, upTo end: Int, _ bytes: Span<UInt8>) -> Int {
    if bytes[start] == UInt8(ascii: "'"), let length = contraction(start, end, bytes) { return start + length }
    // One space belongs to what follows it.
    let first = bytes[start] == 0x20 && start + 1 < end ? start + 1 : start
    let kind = Kind(bytes[first])
    if kind != .space {
      var stop = first + 1
      while stop < end, Kind(bytes[stop]) == kind { stop += 1 }
      return stop
    }
    var stop = start + 1
    while stop < end, Kind(bytes[stop]) == .space { stop += 1 }
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
