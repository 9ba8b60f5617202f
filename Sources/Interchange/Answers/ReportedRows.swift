import Diagnostics
import Glibc
import Sequences
import TeacherSignal

/// The signal of a sequence as its positions are reported one after the other, checked on the way.
///
/// Memory is kept from sequence to sequence. For one thread at a time.
final class ReportedRows {
  let topK: Int
  let vocabularySize: Int
  /// Where the answer at hand came from.
  private(set) var place = AnswerPlace()
  private(set) var sequence = TokenSequence(tokenIDs: [], promptLength: 0)
  private var signal = SparseSignal(kind: .derivedTail)
  /// The ids of the row at hand.
  private var entries: [(id: Int32, logProb: Float)] = []
  /// The log-probs of entries whose id is not known.
  private var unnamed: [Float] = []
  /// The row in which an id stood last.
  private var lastRow: [UInt32]
  private var row: UInt32 = 0
  /// For keys and texts.
  var bytes: [UInt8] = []

  /// What servers write for the logarithm of nothing, where they cannot write infinity.
  private static let nothing = -9999.0
  /// How far above zero a log-prob may lie: as far as half precision rounds.
  private static let excess = 1e-2

  init(topK: Int, vocabularySize: Int) {
    self.topK = topK
    self.vocabularySize = vocabularySize
    lastRow = [UInt32](repeating: 0, count: vocabularySize)
  }

  /// Begins with a sequence.
  func start(_ sequence: TokenSequence, _ place: AnswerPlace) {
    self.sequence = sequence
    self.place = place
    signal = SparseSignal(kind: .derivedTail)
    signal.reserve(positions: sequence.scoredPositions.count, entries: min(topK, vocabularySize))
  }

  /// The signal of what has been reported.
  func finish() -> SparseSignal { signal }

  /// Begins with a row.
  func startRow() {
    entries.removeAll(keepingCapacity: true)
    unnamed.removeAll(keepingCapacity: true)
    if row == .max {
      for index in lastRow.indices { lastRow[index] = 0 }
      row = 0
    }
    row += 1
  }

  /// Adds an id to the row.
  ///
  /// - Parameters:
  ///   - id: Nil for one that is not known: its mass is left to the tail.
  ///   - field: The list of rows, and `index`, which of them this is; for messages.
  func add(_ id: Int?, _ logProb: Double, _ field: StaticString, _ index: Int) throws {
    let value = try checked(logProb, field, index)
    guard let id else { return unnamed.append(value) }
    guard id >= 0, id < vocabularySize else {
      throw place.fault(
        "token id \(id) is outside of the vocabulary of \(vocabularySize)", field: "\(field)[\(index)]",
        remedy: "give the tokenizer of the model that was asked, or its --vocabulary")
    }
    guard lastRow[id] != row else {
      throw place.fault("token id \(id) stands twice in a row", field: "\(field)[\(index)]")
    }
    lastRow[id] = row
    entries.append((Int32(id), value))
  }

  /// The log-prob of an id that the row has.
  func logProb(of id: Int32) -> Float? {
    guard id >= 0, Int(id) < vocabularySize, lastRow[Int(id)] == row else { return nil }
    return entries.first { $0.id == id }?.logProb
  }

  /// The log-prob of an id; where the row does not have it, the most that it can be: that of the least probable id that the row
  /// has, or of all the others together.
  func mostLogProb(of id: Int32) -> Float {
    if let own = logProb(of: id) { return own }
    let known = entries.map(\.logProb)
    guard let least = known.min() else { return 0 }
    return SparseSignal.derivedTail(of: known, vocabularySize: vocabularySize).map { min($0, least) } ?? 0
  }

  /// A log-prob as it is kept.
  func checked(_ logProb: Double, _ field: StaticString, _ index: Int) throws -> Float {
    guard logProb <= Self.excess else {
      throw place.fault(
        "\(logProb) is no log-prob: it is above zero", field: "\(field)[\(index)]",
        remedy: "give natural logarithms of probabilities, not logits")
    }
    return logProb <= Self.nothing ? -.infinity : Float(logProb)
  }

  /// Ends the row, which becomes the next position of the signal.
  ///
  /// - Parameters:
  ///   - target: The log-prob of the token that follows.
  ///   - mayHaveFewer: Whether there may be fewer ids than the top-k: those of one text have one entry, or a row is filled up.
  func endRow(target: Float, mayHaveFewer: Bool = false, _ field: StaticString, _ index: Int) throws {
    let wanted = mayHaveFewer ? 1 : min(topK, vocabularySize)
    guard entries.count + unnamed.count >= wanted else {
      throw place.fault(
        "has \(entries.count + unnamed.count) ids, fewer than the top-k of \(wanted)", field: "\(field)[\(index)]",
        remedy: "ask the server for as many, or lower --top-k")
    }
    guard unnamed.isEmpty else { return try endPartlyNamed(target: target, field, index) }
    guard signal.append(reported: &entries, topK: topK, target: target, vocabularySize: vocabularySize) else {
      throw noDistribution(field, index)
    }
  }

  /// Ends a row of which some ids are not known: what they have goes to the tail, beside what is derived of all.
  private func endPartlyNamed(target: Float, _ field: StaticString, _ index: Int) throws {
    entries.removeAll { $0.logProb == -.infinity }
    guard !entries.isEmpty else {
      throw place.fault(
        "has no id that is known: the texts of its tokens stand for none of the tokenizer's, or for several",
        field: "\(field)[\(index)]", remedy: "have the server name tokens by their ids (return_tokens_as_token_ids)")
    }
    let known = unnamed + entries.map(\.logProb)
    guard let rest = SparseSignal.derivedTail(of: known, vocabularySize: max(vocabularySize, known.count)) else {
      throw noDistribution(field, index)
    }
    entries.sort { ($1.logProb, $0.id) < ($0.logProb, $1.id) }
    let kept = entries.prefix(topK)
    let others = unnamed + entries.dropFirst(topK).map(\.logProb) + [rest]
    signal.append(
      ids: kept.map(\.id), logProbs: kept.map { min($0.logProb, 0) }, tail: min(Self.logSumExp(others), 0),
      target: min(target, 0))
  }

  private func noDistribution(_ field: StaticString, _ index: Int) -> Diagnostic {
    place.fault(
      "is no distribution: its probabilities sum to more than one, or all are zero", field: "\(field)[\(index)]",
      remedy: "give natural logarithms of probabilities, of one position a row")
  }

  private static func logSumExp(_ values: [Float]) -> Float {
    guard let most = values.max(), most > -.infinity else { return -.infinity }
    return Float(Double(most) + log(values.reduce(0) { $0 + exp(Double($1) - Double(most)) }))
  }
}
