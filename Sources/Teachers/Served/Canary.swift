import Diagnostics
import Interchange
import JSON
import Sequences
import TeacherSignal
import Tokenizers

/// A text whose answer tells one server from another: asked about more than once at the start, and held against what a store
/// keeps of the last time.
struct Canary: Sendable {
  /// What of an answer is kept: ids with their log-probs at each position, and the log-prob of the token that follows.
  struct Answer: Sendable, Equatable {
    var ids: [[Int32]]
    var logProbs: [[Float]]
    var targets: [Float]

    /// The most probable entries of a signal.
    init(_ signal: SparseSignal) {
      let rows = (0..<signal.positionCount).map { signal.entries(at: $0).prefix(Canary.keptEntries) }
      ids = rows.map { Array(signal.ids[$0]) }
      logProbs = rows.map { Array(signal.logProbs[$0]) }
      targets = signal.targetLogProb
    }

    /// The largest difference of log-probs that both have, in nats.
    func distance(to other: Answer) -> Float {
      var largest: Float = 0
      for (row, own) in ids.enumerated() where row < other.ids.count {
        let theirs = Dictionary(zip(other.ids[row], other.logProbs[row]), uniquingKeysWith: { first, _ in first })
        for (id, value) in zip(own, logProbs[row]) { largest = max(largest, theirs[id].map { abs($0 - value) } ?? 0) }
        if targets[row].isFinite, other.targets[row].isFinite {
          largest = max(largest, abs(targets[row] - other.targets[row]))
        }
      }
      return largest
    }

    /// The first position where both find another id most probable, by more than rounding can turn round.
    func disagreement(with other: Answer, within tolerance: Float) -> Int? {
      ids.indices.first { row in
        guard ids[row][0] != other.ids[row][0] else { return false }
        let own = logProbs[row], theirs = other.logProbs[row]
        return (own.count > 1 ? own[0] - own[1] : .infinity) > tolerance
          && (theirs.count > 1 ? theirs[0] - theirs[1] : .infinity) > tolerance
      }
    }
  }

  private static let keptEntries = 16
  private static let longest = 96
  /// What a server's answers differ by beside their repeat noise: numbers are written with so many digits.
  private static let rounding: Float = 1e-3
  private static let text =
    "The quick brown fox jumps over 13 lazy dogs; l'été, straße, 你好，世界。 Привет, мир! שלום def f(x): return x ** 2 + 1"

  /// What is asked about; the first position is left out, of which some servers say nothing.
  let sequence: TokenSequence

  /// The canary of a tokenizer.
  ///
  /// - Parameter longest: Tokens that the server takes.
  init(_ tokenizer: Tokenizer, longest: Int) throws {
    // A server that takes texts can be told those words alone that come back from their tokens.
    let words = try Self.text.split(separator: " ").filter { word in
      try tokenizer.decode(tokenizer.encode(String(word), addSpecialTokens: false), skipSpecialTokens: false).drop {
        $0 == " "
      } == word
    }
    let ids = try tokenizer.encode(words.joined(separator: " "), addSpecialTokens: false)
    let start = tokenizer.bosTokenID.map { [$0] } ?? []
    var kept = Array((start + ids).prefix(min(Self.longest, longest)))
    // Not cut within a character, which a server that takes texts could not be told.
    while kept.count < start.count + ids.count, try tokenizer.decode(kept).hasSuffix("\u{FFFD}") { kept.removeLast() }
    self.init(tokenIDs: kept)
  }

  private init(tokenIDs: [Int32]) { sequence = TokenSequence(tokenIDs: tokenIDs, promptLength: min(2, tokenIDs.count)) }

  // MARK: Keeping

  /// What a store keeps.
  func record(_ answer: Answer, noise: Float) -> JSONObject {
    [
      "token_ids": .array(sequence.tokenIDs.map { .integer(Int64($0)) }), "repeat_noise": .double(Double(noise)),
      "ids": .array(answer.ids.map { .array($0.map { .integer(Int64($0)) }) }),
      "logprobs": .array(answer.logProbs.map { .array($0.map(Self.number)) }),
      "target_logprobs": .array(answer.targets.map(Self.number)),
    ]
  }

  private static func number(_ value: Float) -> JSONValue { value.isFinite ? .double(Double(value)) : .null }

  /// The canary that a store keeps, with what was answered then.
  ///
  /// - Throws: a `Diagnostic` where the record is none.
  static func known(_ record: JSONField) throws -> (canary: Canary, answer: Answer, noise: Float) {
    func floats(_ field: JSONField) throws -> [Float] {
      try field.elements().map { $0.value == .null ? -.infinity : Float(try $0.double()) }
    }
    let tokens = try record.required("token_ids").elements().map { Int32(try $0.integer(in: 0...Int(Int32.max))) }
    let canary = Canary(tokenIDs: tokens)
    var answer = Answer(SparseSignal(kind: .derivedTail))
    answer.ids = try record.required("ids").elements().map { row in
      try row.elements().map { Int32(try $0.integer(in: 0...Int(Int32.max))) }
    }
    answer.logProbs = try record.required("logprobs").elements().map(floats)
    answer.targets = try floats(record.required("target_logprobs"))
    let count = canary.sequence.scoredPositions.count
    guard answer.ids.count == count, answer.targets.count == count, answer.logProbs.count == count,
      zip(answer.ids, answer.logProbs).allSatisfy({ !$0.isEmpty && $0.count == $1.count })
    else { throw record.diagnostic("has not one row for each of \(count) positions") }
    return (canary, answer, Float(try record.required("repeat_noise").double()))
  }

  /// Refuses a server that answers otherwise than the one that is known.
  ///
  /// - Parameter noise: Of the known one and of this one, the larger.
  static func check(_ answer: Answer, against known: Answer, noise: Float, server: String) throws {
    let tolerance = 2 * noise + rounding
    let distance = answer.distance(to: known)
    let row = answer.disagreement(with: known, within: tolerance)
    guard distance > tolerance || row != nil else { return }
    let what =
      row.map { "the most probable id at its position \($0) is \(answer.ids[$0][0]) now, \(known.ids[$0][0]) then" }
      ?? "log-probs differ by up to \(distance) nats"
    throw Diagnostic.input(
      "the server \(server) is not the one that was asked before: of the same text, \(what), where its repeat noise is \(noise)",
      field: "teacher.url",
      remedy: "serve the very model, in the same precision, or name another folder for what this one says")
  }
}
