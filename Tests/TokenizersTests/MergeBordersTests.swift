import JSON
import RandomStreams
import Testing
import Tokenizers

/// Words are cut where no merge crosses, short parts are merged by a search and long ones by a queue: what comes out is what
/// merging the whole text step by step, as the definition says, makes of it.
@Suite("Tokenizers: merges") struct MergeBordersTests {
  /// Random merges of a few characters, of which `u` and `v` are not in the vocabulary.
  struct Vocabulary {
    static let characters = ["a", "b", "c", "é", "▁", "<"]
    var ids: [String: Int32] = ["<unk>": 0]
    var merges: [(left: String, right: String)] = []
    var ranks: [String: Int] = [:]

    init(_ stream: inout RandomStream, merges count: Int, hasFallback: Bool, hasInnerMarks: Bool) {
      func add(_ token: String) { if ids[token] == nil { ids[token] = Int32(ids.count) } }
      Self.characters.forEach(add)
      if hasFallback { (0..<256).forEach { add(Self.fallback(UInt8($0))) } }
      // The unknown token and those of bytes may be merged like any others.
      var tokens = Self.characters + (hasFallback ? [Self.fallback(0x75)] : []) + ["<unk>"]
      while merges.count < count {
        let left = tokens[stream.below(tokens.count)], right = tokens[stream.below(tokens.count)]
        let joined = left + right
        if ranks["\(left) \(right)"] != nil || joined.utf8.count > 24 { continue }
        let inner = joined.drop { $0 == "▁" }.contains("▁")
        if inner && !hasInnerMarks && stream.below(50) > 0 { continue }
        ranks["\(left) \(right)"] = merges.count
        merges.append((left, right))
        add(joined)
        tokens.append(joined)
      }
    }

    static func fallback(_ byte: UInt8) -> String {
      let digits = String(byte, radix: 16, uppercase: true)
      return "<0x\(digits.count < 2 ? "0" : "")\(digits)>"
    }

    /// The symbols of a text; unknown ones in a row are one.
    func symbols(_ text: String, hasFallback: Bool, hasUnknown: Bool) -> [String] {
      var result: [String] = []
      var follows = false
      for character in text.unicodeScalars.map(String.init) {
        let isKnown = ids[character] != nil
        if isKnown { result.append(character) }
        if !isKnown && hasFallback { result += character.utf8.map(Self.fallback) }
        if !isKnown && !hasFallback && hasUnknown && !follows { result.append("<unk>") }
        follows = !isKnown
      }
      return result
    }

    /// The definition: of the pairs of the lowest rank the leftmost, until there is none.
    func merged(_ symbols: [String]) -> [Int32] {
      var symbols = symbols
      while true {
        let pairs = symbols.indices.dropLast().compactMap { index in
          ranks["\(symbols[index]) \(symbols[index + 1])"].map { (rank: $0, index: index) }
        }
        guard let best = pairs.min(by: { ($0.rank, $0.index) < ($1.rank, $1.index) }) else { break }
        symbols[best.index] += symbols.remove(at: best.index + 1)
      }
      return symbols.map { ids[$0]! }
    }
  }

  @Test(
    "are those of the definition, whatever the vocabulary",
    arguments: [(true, true), (true, false), (false, true), (false, false)], [false, true])
  func agree(unknown: (hasFallback: Bool, hasUnknown: Bool), hasInnerMarks: Bool) throws {
    var stream = RandomStream(seed: 6, name: "merges")
    for count in [0, 5, 20, 60, 60, 120] {
      let vocabulary = Vocabulary(
        &stream, merges: count, hasFallback: unknown.hasFallback, hasInnerMarks: hasInnerMarks)
      let tokenizer = try TokenizerFileTests.load([
        "model": [
          "type": "BPE", "vocab": .object(JSONObject(vocabulary.ids.map { ($0.key, .integer(Int64($0.value))) })),
          "merges": .array(vocabulary.merges.map { [.string($0.left), .string($0.right)] }),
          "unk_token": unknown.hasUnknown ? "<unk>" : .null, "fuse_unk": true,
          "byte_fallback": .bool(unknown.hasFallback),
        ]
      ])
      let letters = Vocabulary.characters + ["u", "v", "▁"]
      for length in (0..<60).map({ $0 % 20 }) + [31, 32, 33, 34, 60, 90, 150] {
        let text = (0..<length).map { _ in letters[stream.below(letters.count)] }.joined()
        let symbols = vocabulary.symbols(text, hasFallback: unknown.hasFallback, hasUnknown: unknown.hasUnknown)
        #expect(try tokenizer.encode(text) == vocabulary.merged(symbols), "\(text) with \(vocabulary.merges)")
      }
    }
  }
}
