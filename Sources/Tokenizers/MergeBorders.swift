/// Where no merge of a byte-pair vocabulary can cross, so that what lies on either side merges as if it were alone.
///
/// A merge across a border makes a token in which the symbols on both sides stand next to each other, a symbol being a
/// character, a byte or the unknown token, before any merge. Pairs of symbols that no merge brings together are such borders.
/// In texts of one long word they cut a queue of a million merges into short ones: 1 MB of letters without a space takes 0.2
/// to 0.5 s instead of 0.9.
struct MergeBorders: Sendable {
  /// A bit for what a pair's hash says: set where a merge may bring the pair together. Of two pairs with one bit a border
  /// may go unseen, which changes no token.
  private let bits: [UInt64]
  /// True for the last bytes of characters that a merge may bring together with a `▁` that follows them; nil where words
  /// may not be cut there.
  let joinsMark: [Bool]?

  static let mark: [UInt8] = Array("▁".utf8)

  /// Of merges whose symbols are characters as they are, with no prefix or suffix of words; nil where a stand-in takes part
  /// in a merge, as in no tokenizer that was made by learning.
  ///
  /// - Parameters:
  ///   - standIns: Tokens that are symbols whatever they are written like: the unknown one, and those of bytes.
  ///   - losesCharacters: Whether a character may be left out, which brings together what it parts.
  init?(_ vocabulary: Vocabulary, _ merges: PairTable, standIns: [Int32], losesCharacters: Bool) {
    var size = 1 << 10
    while size < 16 * merges.capacity && size < 1 << 24 { size *= 2 }
    var bits = [UInt64](repeating: 0, count: size / 64)
    var isStandIn = [Bool](repeating: false, count: vocabulary.size)
    for id in standIns where id >= 0 { isStandIn[Int(id)] = true }
    let markID = vocabulary.id(Self.mark) ?? -1
    var ends = Ends(vocabulary)
    var joinsMark = [Bool](repeating: false, count: 256)
    var isPlain = true
    merges.forEachPair { left, right in
      if isStandIn[Int(left)] || isStandIn[Int(right)] { isPlain = false }
      let last = ends.last(left), first = ends.first(right)
      let bit = Self.bit(last, first, of: size)
      bits[bit >> 6] |= 1 << UInt64(bit & 63)
      if first == markID, let byte = vocabulary.token(left)?.last { joinsMark[Int(byte)] = true }
    }
    guard isPlain else { return nil }
    self.bits = bits
    self.joinsMark = markID >= 0 && !losesCharacters ? joinsMark : nil
  }

  /// False where no merge brings two symbols together.
  func mayJoin(_ left: Int32, _ right: Int32) -> Bool {
    let bit = Self.bit(left, right, of: bits.count * 64)
    return bits[bit >> 6] >> UInt64(bit & 63) & 1 != 0
  }

  private static func bit(_ left: Int32, _ right: Int32, of count: Int) -> Int {
    let key = UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    return Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 24) & (count - 1)
  }

  /// The symbols that tokens begin and end with, each found once; -1 where the vocabulary lacks it, so that no merges make
  /// the token.
  private struct Ends {
    private let vocabulary: Vocabulary
    /// Ids of the characters of ASCII, which is what most tokens begin and end with.
    private let ascii: [Int32]
    /// By token; -2 where not yet found.
    private var firsts: [Int32]
    private var lasts: [Int32]

    init(_ vocabulary: Vocabulary) {
      self.vocabulary = vocabulary
      ascii = (0..<0x80).map { vocabulary.id([UInt8($0)]) ?? -1 }
      firsts = [Int32](repeating: -2, count: vocabulary.size)
      lasts = firsts
    }

    mutating func first(_ id: Int32) -> Int32 {
      if firsts[Int(id)] > -2 { return firsts[Int(id)] }
      let token = vocabulary.token(id) ?? []
      let end = token.dropFirst().firstIndex { $0 & 0xC0 != 0x80 } ?? token.endIndex
      firsts[Int(id)] = symbol(token[..<end])
      return firsts[Int(id)]
    }

    mutating func last(_ id: Int32) -> Int32 {
      if lasts[Int(id)] > -2 { return lasts[Int(id)] }
      let token = vocabulary.token(id) ?? []
      let start = token.lastIndex { $0 & 0xC0 != 0x80 } ?? token.startIndex
      lasts[Int(id)] = symbol(token[start...])
      return lasts[Int(id)]
    }

    private func symbol(_ character: ArraySlice<UInt8>) -> Int32 {
      if character.count == 1, let byte = character.first, byte < 0x80 { return ascii[Int(byte)] }
      return vocabulary.id(Array(character)) ?? -1
    }
  }
}
