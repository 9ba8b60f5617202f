import Diagnostics

/// The most likely tokens of a word, each taken to be independent of the others (Kudo 2018, arXiv 1804.10959), as the model
/// `Unigram` of a tokenizer file.
///
/// The best way to every place of a word follows from the best ways to the places before it (Viterbi), so that a word
/// takes time in proportion to its length times that of the longest token. Of equally good ways the one that was found
/// first stays, as in the reference.
struct UnigramModel: TokenModel {
  let vocabulary: Vocabulary
  let unknownID: Int32?
  static var takesBytes: Bool { false }
  /// The longest token, in bytes: far above any vocabulary's, and so short that to look for it everywhere costs little.
  static let longestToken = 1 << 10

  private let scores: [Double]
  private let trie: TokenTrie
  /// Of a character that is no token.
  private let unknownScore: Double
  /// Ids of `<0x00>` ... `<0xFF>`, or -1; empty without byte fallback.
  private let fallbackIDs: [Int32]

  /// - Parameter scores: The log-probability of every token.
  init(_ vocabulary: Vocabulary, scores: [Double], unknownID: Int32?, hasByteFallback: Bool) {
    self.vocabulary = vocabulary
    self.scores = scores
    self.unknownID = unknownID
    trie = TokenTrie(vocabulary)
    unknownScore = (scores.min() ?? 0) - 10
    fallbackIDs = hasByteFallback ? ByteTokens.ids(in: vocabulary) : []
  }

  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, asBytes: Bool, _ workspace: inout MergeWorkspace, into ids: inout [Int32]
  ) throws {
    try workspace.remembering(bytes, range, into: &ids) { try appendBest(bytes, range, to: &$1) }
  }

  /// The best way to a place: its last token, where that begins, and the score of the whole.
  private struct Step {
    var score = 0.0
    var start: Int32 = -1
    var id: Int32 = 0

    mutating func improve(_ score: Double, _ start: Int, _ id: Int32) {
      guard self.start < 0 || score > self.score else { return }
      self = Step(score: score, start: Int32(start), id: id)
    }

    func isImproved(by score: Double) -> Bool { start < 0 || score > self.score }
  }

  private func appendBest(_ bytes: [UInt8], _ range: Range<Int>, to ids: inout [Int32]) throws {
    var steps = [Step](repeating: Step(), count: range.count + 1)
    let span = bytes.span
    var place = range.lowerBound
    while place < range.upperBound {
      var next = place + 1
      while next < range.upperBound && span[next] & 0xC0 == 0x80 { next += 1 }
      let (offset, score) = (place - range.lowerBound, steps[place - range.lowerBound].score)
      var hasCharacter = false
      trie.forEachToken(in: span, at: place, below: range.upperBound) { end, id in
        steps[end - range.lowerBound].improve(score + scores[Int(id)], offset, id)
        hasCharacter = hasCharacter || end == next
      }
      if !hasCharacter, steps[next - range.lowerBound].isImproved(by: score + unknownScore) {
        guard let unknownID else { throw lacking(bytes[place..<next]) }
        steps[next - range.lowerBound].improve(score + unknownScore, offset, unknownID)
      }
      place = next
    }
    try appendWay(steps, bytes, range, to: &ids)
  }

  /// The tokens of the best way to the end, found from there backwards; unknown ones in a row are one.
  private func appendWay(_ steps: [Step], _ bytes: [UInt8], _ range: Range<Int>, to ids: inout [Int32]) throws {
    var parts: [(range: Range<Int>, id: Int32)] = []
    var end = range.count
    while end > 0 {
      let (start, id) = (Int(steps[end].start), steps[end].id)
      let part = range.lowerBound + start..<range.lowerBound + end
      if id == unknownID, let last = parts.last, last.id == id {
        parts[parts.count - 1].range = part.lowerBound..<last.range.upperBound
      } else {
        parts.append((part, id))
      }
      end = start
    }
    for part in parts.reversed() {
      guard part.id == unknownID else {
        ids.append(part.id)
        continue
      }
      // Together they may be a token after all; their bytes stand for them where each has one.
      if let id = vocabulary.id(bytes, part.range) {
        ids.append(id)
      } else if !fallbackIDs.isEmpty, part.range.allSatisfy({ fallbackIDs[Int(bytes[$0])] >= 0 }) {
        for index in part.range { ids.append(fallbackIDs[Int(bytes[index])]) }
      } else {
        ids.append(part.id)
      }
    }
  }

  private func lacking(_ character: ArraySlice<UInt8>) -> Diagnostic {
    .input(
      "is missing, but a text needs the unknown token for the character "
        + "\"\(String(decoding: character, as: UTF8.self))\", which the vocabulary lacks",
      field: "model.unk_id", remedy: "name the id of a token of the vocabulary")
  }
}

/// The tokens that stand for single bytes where a character has no token of its own: `<0x00>` ... `<0xFF>`.
enum ByteTokens {
  /// Their ids, or -1.
  static func ids(in vocabulary: Vocabulary) -> [Int32] {
    (0...255).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return vocabulary.id(Array("<0x\(digits.count < 2 ? "0" : "")\(digits)>".utf8)) ?? -1
    }
  }
}
