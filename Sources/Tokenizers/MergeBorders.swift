/// Where no merge of a byte-pair vocabulary can cross, so that what lies on either side merges as if it were alone.
///
/// A merge across a border makes a token in which the symbols on both sides stand next to each other, a symbol being a
/// character, a byte or the unknown token, before any merge. Pairs of symbols that no merge brings together are such borders.
/// In texts of one long word they cut a heap of a million merges into short ones: 1 MB of letters without a space takes a
/// third of the time.
struct MergeBorders: Sendable {
  /// A bit for what a pair's hash says: set where a merge may bring the pair together. Of two pairs with one bit a border
  /// may go unseen, which changes no token.
  private var bits: [UInt64]
  /// True for the last bytes of characters that a merge may bring together with a `▁` that follows them; nil where words
  /// may not be cut there.
  private(set) var joinsMark: [Bool]?

  static let mark: [UInt8] = Array("▁".utf8)

  /// Of merges whose symbols are characters as they are, with no prefix or suffix of words.
  ///
  /// - Parameters:
  ///   - standIns: Tokens that are symbols whatever they are written like: the unknown one, and those of bytes.
  ///   - losesCharacters: Whether a character may be left out, which brings together what it parts.
  init(_ vocabulary: Vocabulary, _ merges: PairTable, standIns: [Int32], losesCharacters: Bool) {
    var size = 1 << 10
    while size < 16 * merges.capacity && size < 1 << 24 { size *= 2 }
    bits = [UInt64](repeating: 0, count: size / 64)
    let standIns = Set(standIns)
    let markID = vocabulary.id(Self.mark) ?? -1
    var ends = Ends(vocabulary)
    var joining = [Bool](repeating: false, count: 256)
    var cutsAtMark = markID >= 0 && !losesCharacters
    var pairs: [(Int32, Int32)] = []
    merges.forEachPair { left, right in
      let last = ends.last(left), first = ends.first(right)
      pairs.append((last, first))
      if standIns.contains(left) { pairs.append((left, first)) }
      if standIns.contains(right) { pairs.append((last, right)) }
      if standIns.contains(left) && standIns.contains(right) { pairs.append((left, right)) }
      if first == markID {
        if standIns.contains(left) { cutsAtMark = false }
        if let byte = vocabulary.token(left)?.last { joining[Int(byte)] = true }
      }
    }
    for (left, right) in pairs {
      let bit = bit(left, right)
      bits[bit >> 6] |= 1 << UInt64(bit & 63)
    }
    joinsMark = cutsAtMark ? joining : nil
  }

  /// False where no merge brings two symbols together.
  func mayJoin(_ left: Int32, _ right: Int32) -> Bool {
    let bit = bit(left, right)
    return bits[bit >> 6] >> UInt64(bit & 63) & 1 != 0
  }

  private func bit(_ left: Int32, _ right: Int32) -> Int {
    let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    return Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 24) & (bits.count * 64 - 1)
  }

  /// The symbols that tokens begin and end with, each found once; -1 where the vocabulary lacks it, so that no merges make
  /// the token.
  private struct Ends {
    private let vocabulary: Vocabulary
    private var firsts: [Int32?]
    private var lasts: [Int32?]

    init(_ vocabulary: Vocabulary) {
      self.vocabulary = vocabulary
      firsts = .init(repeating: nil, count: vocabulary.size)
      lasts = firsts
    }

    mutating func first(_ id: Int32) -> Int32 {
      if let known = firsts[Int(id)] { return known }
      let token = vocabulary.token(id) ?? []
      let end = token.dropFirst().firstIndex { $0 & 0xC0 != 0x80 } ?? token.endIndex
      let found = vocabulary.id(Array(token[..<end])) ?? -1
      firsts[Int(id)] = found
      return found
    }

    mutating func last(_ id: Int32) -> Int32 {
      if let known = lasts[Int(id)] { return known }
      let token = vocabulary.token(id) ?? []
      let start = token.lastIndex { $0 & 0xC0 != 0x80 } ?? token.startIndex
      let found = vocabulary.id(Array(token[start...])) ?? -1
      lasts[Int(id)] = found
      return found
    }
  }
}
