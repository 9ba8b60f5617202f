import Diagnostics

/// The tokens of a GGUF file, their kinds, and the merges that follow from them.
struct GGUFVocabulary {
  /// The longest token, in bytes: far above any vocabulary's, and so short that to cut it everywhere costs little.
  static let longestToken = 1 << 10
  /// Most tokens: what Hugging Face's tokenizers are read with here.
  static let maximumCount = 1 << 24

  private let arena: [UInt8]
  /// Token `i` is `arena[bounds[i]..<bounds[i + 1]]`.
  private let bounds: [Int]
  /// Ids of the tokens that stand for something, such as the end of a text, in ascending order.
  let control: [Int]
  /// Ids of the tokens that are found in a text whatever surrounds them, in ascending order; none whose blanks are marked,
  /// which no text is searched for.
  let userDefined: [Int]

  /// Number of tokens.
  var count: Int { bounds.count - 1 }

  subscript(id: Int) -> ArraySlice<UInt8> { arena[bounds[id]..<bounds[id + 1]] }

  /// A token as text.
  func text(_ id: Int) -> String { String(decoding: self[id], as: UTF8.self) }

  /// - Parameter marksBlanks: Whether tokens of spaces alone are written with the mark of a space in their place, as the
  ///   files of Gemma's models need it.
  /// - Throws: a `Diagnostic` for tokens that are missing, too long, too many, or no UTF-8, and for kinds of another
  ///   number.
  init(_ metadata: GGUFMetadata, marksBlanks: Bool) throws {
    let key = "\(GGUFTokenizer.key).tokens"
    guard let tokens = try metadata.array(key, of: .strings), tokens.count > 0, tokens.count <= Self.maximumCount else {
      throw metadata.diagnostic(key, "must be 1 to \(Self.maximumCount) tokens")
    }
    let marked: Set<Int>
    (arena, bounds, marked) = try Self.read(tokens, metadata, key, marksBlanks)
    let kindKey = "\(GGUFTokenizer.key).token_type"
    let kinds = try metadata.array(kindKey, of: .integers)?.integers() ?? []
    guard kinds.isEmpty || kinds.count == tokens.count else {
      throw metadata.diagnostic(kindKey, "has \(kinds.count) elements, but there are \(tokens.count) tokens")
    }
    // The numbers of llama.cpp's kinds of tokens.
    control = kinds.indices.filter { kinds[$0] == 3 }
    userDefined = kinds.indices.filter { kinds[$0] == 4 && !marked.contains($0) }
  }

  private static func read(
    _ tokens: GGUFArray, _ metadata: GGUFMetadata, _ key: String, _ marksBlanks: Bool
  ) throws -> (arena: [UInt8], bounds: [Int], marked: Set<Int>) {
    var arena: [UInt8] = []
    var bounds = [0]
    var marked: Set<Int> = []
    bounds.reserveCapacity(tokens.count + 1)
    try tokens.forEachString { token in
      let start = arena.count
      guard token.count <= longestToken else {
        throw metadata.diagnostic(
          key, "holds at \(bounds.count - 1) a token of \(token.count) bytes, above the limit of \(longestToken)")
      }
      for index in token.indices { arena.append(token[index]) }
      guard String(validating: arena[start...], as: UTF8.self) != nil else {
        throw metadata.diagnostic(key, "holds at \(bounds.count - 1) a token that is no UTF-8")
      }
      if marksBlanks, token.count > 0, arena[start...].allSatisfy({ $0 == UInt8(ascii: " ") }) {
        marked.insert(bounds.count - 1)
        arena.removeSubrange(start...)
        for _ in 0..<token.count { arena.append(contentsOf: "▁".utf8) }
      }
      bounds.append(arena.count)
    }
    return (arena, bounds, marked)
  }

  /// The score of every token.
  ///
  /// - Throws: a `Diagnostic` where they are missing, of another number, or no numbers.
  func scores(_ metadata: GGUFMetadata) throws -> [Double] {
    let key = "\(GGUFTokenizer.key).scores"
    let scores = try metadata.array(key, of: .numbers)?.numbers() ?? []
    guard scores.count == count, scores.allSatisfy({ !$0.isNaN }) else {
      throw metadata.diagnostic(key, "must be \(count) numbers, a token each")
    }
    return scores
  }

  // MARK: Merges

  /// A merge: the token that it makes, and how many of its bytes are the left side.
  struct Merge {
    var token: Int32
    var length: Int32
  }

  /// Every cut of a token into two tokens, the best first, as transformers derives the merges of a SentencePiece model: by
  /// the score of the whole, and among equals by the characters of the left side and then of the right one, longer ones
  /// first.
  ///
  /// - Parameter scores: Of every token; nil where earlier tokens are better.
  func derivedMerges(scores: [Double]?) -> [Merge] {
    let table = GGUFTokenTable(self)
    var order = Array(0..<count)
    if let scores { order.sort { (scores[$1], $0) < (scores[$0], $1) } }
    var merges: [Merge] = []
    merges.reserveCapacity(2 * count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while let scores, end < order.count, scores[order[end]] == scores[order[start]] { end += 1 }
      var equals: [(merge: Merge, left: Int, right: Int)] = []
      for id in order[start..<end] where !table.isHidden(id) { appendCuts(of: id, table, to: &equals) }
      // Tokens of one score stay in their order where the sides are of equal lengths.
      let ranked = equals.enumerated().sorted {
        ($1.element.left, $1.element.right, $0.offset) < ($0.element.left, $0.element.right, $1.offset)
      }
      for (_, element) in ranked { merges.append(element.merge) }
      start = end
    }
    return merges
  }

  private func appendCuts(
    of id: Int, _ table: GGUFTokenTable, to cuts: inout [(merge: Merge, left: Int, right: Int)]
  ) {
    let token = self[id]
    let characters = token.count { $0 & 0xC0 != 0x80 }
    var left = 0
    for middle in token.indices.dropFirst() where token[middle] & 0xC0 != 0x80 {
      left += 1
      guard table.contains(token[..<middle]), table.contains(token[middle...]) else { continue }
      let merge = Merge(token: Int32(id), length: Int32(middle - token.startIndex))
      cuts.append((merge, left, characters - left))
    }
  }
}

/// Finds tokens by their bytes.
private struct GGUFTokenTable {
  private let vocabulary: GGUFVocabulary
  private var hashes: [UInt64] = []
  /// Open addressing: 0 for free, else the token's id plus one. The size is a power of two.
  private var slots: [Int32]
  /// Tokens that come again later in the vocabulary, where they count.
  private var hidden: Set<Int> = []

  init(_ vocabulary: GGUFVocabulary) {
    self.vocabulary = vocabulary
    var size = 64
    while size < 2 * vocabulary.count { size *= 2 }
    slots = [Int32](repeating: 0, count: size)
    hashes.reserveCapacity(vocabulary.count)
    for id in 0..<vocabulary.count {
      let token = vocabulary[id]
      let hash = Self.hash(token)
      hashes.append(hash)
      let place = slot(of: token, hash)
      if slots[place] != 0 { hidden.insert(Int(slots[place]) - 1) }
      slots[place] = Int32(id + 1)
    }
  }

  func isHidden(_ id: Int) -> Bool { hidden.contains(id) }

  func contains(_ bytes: ArraySlice<UInt8>) -> Bool { slots[slot(of: bytes, Self.hash(bytes))] != 0 }

  /// The slot that holds a token of these bytes, or the free one where it belongs.
  private func slot(of bytes: ArraySlice<UInt8>, _ hash: UInt64) -> Int {
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while slots[place] != 0 {
      let id = Int(slots[place]) - 1
      if hashes[id] == hash && vocabulary[id].elementsEqual(bytes) { return place }
      place = (place + 1) & mask
    }
    return place
  }

  /// FNV-1a, with its high bits mixed into the low ones that choose the slot.
  private static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash ^ (hash >> 29)
  }
}
