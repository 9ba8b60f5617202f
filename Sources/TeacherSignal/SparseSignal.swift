import Diagnostics

/// What a teacher thinks of the next token at some positions of one sample: token ids with their log-probs, the mass of
/// all other ids as one tail, and the log-prob of the token that actually follows.
///
/// Positions may keep different numbers of ids: those of position i are the entries `offsets[i] ..< offsets[i + 1]`. With
/// the tail stored, every position but a sampled one is a true distribution over its ids and one outcome more; nothing is
/// renormalised.
public struct SparseSignal: Sendable, Equatable {
  /// Which ids a position keeps.
  public enum Kind: String, Sendable, CaseIterable {
    /// The most probable ones, at most a fixed number.
    case topK = "top-k"
    /// The most probable ones as somebody reported them who did not say how much mass the others have: the tail is derived
    /// from what is kept (``SparseSignal/derivedTail(of:vocabularySize:)``).
    case derivedTail = "top-k-derived"
    /// The most probable ones, as many as reach a share of the mass.
    case nucleus = "top-p"
    /// Ids drawn without replacement, each with the probability that it was; the tail is the mass of all that were not.
    case sample
    /// Every id of the vocabulary: there is no tail.
    case dense

    /// Whether a position's ids stand by descending log-prob; those of a sample stand by ascending id.
    public var isRanked: Bool { self != .sample }
  }

  public let kind: Kind
  /// Where each position's entries begin, and the end of the last one's: one more than there are positions, from 0.
  public private(set) var offsets: [Int]
  /// Token ids of all positions, one after another.
  public var ids: [Int32]
  /// Natural log-probs of ``ids``.
  public var logProbs: [Float]
  /// Of a sample, the log of the probability that each of ``ids`` is drawn; empty otherwise.
  public var inclusionLogProbs: [Float]
  /// One value a position: log-sum-exp of the log-probs of every id that is not kept; -infinity where there is none.
  public var tailLogProb: [Float]
  /// One value a position: the log-prob of the token that follows in the sample, whether or not it is kept.
  public var targetLogProb: [Float]

  /// Number of positions.
  public var positionCount: Int { offsets.count - 1 }

  /// The most entries of any position; 0 without positions.
  public var largestCount: Int {
    var largest = 0
    for position in 0..<positionCount { largest = max(largest, offsets[position + 1] - offsets[position]) }
    return largest
  }

  /// The entries of a position.
  public func entries(at position: Int) -> Range<Int> { offsets[position]..<offsets[position + 1] }

  /// - Parameter counts: Number of entries of each position.
  /// - Precondition: the arrays hold the same positions and entries, each position one entry at least.
  public init(
    kind: Kind, counts: some Sequence<Int>, ids: [Int32], logProbs: [Float], inclusionLogProbs: [Float] = [],
    tailLogProb: [Float], targetLogProb: [Float]
  ) {
    var offsets = [0]
    for count in counts {
      precondition(count > 0, "a position has \(count) entries")
      offsets.append(offsets[offsets.count - 1] + count)
    }
    let entries = offsets[offsets.count - 1]
    precondition(
      ids.count == entries && logProbs.count == entries && inclusionLogProbs.count == (kind == .sample ? entries : 0)
        && tailLogProb.count == offsets.count - 1 && targetLogProb.count == tailLogProb.count,
      "a signal of \(offsets.count - 1) positions and \(entries) entries has \(ids.count) ids, \(logProbs.count) log-probs, \(inclusionLogProbs.count) inclusions, \(tailLogProb.count) tails and \(targetLogProb.count) targets"
    )
    self.kind = kind
    self.offsets = offsets
    self.ids = ids
    self.logProbs = logProbs
    self.inclusionLogProbs = inclusionLogProbs
    self.tailLogProb = tailLogProb
    self.targetLogProb = targetLogProb
  }

  /// The top-k of positions that all keep the same number of ids.
  ///
  /// - Precondition: the arrays hold the same number of positions.
  public init(topK: Int, ids: [Int32], logProbs: [Float], tailLogProb: [Float], targetLogProb: [Float]) {
    self.init(
      kind: .topK, counts: repeatElement(topK, count: tailLogProb.count), ids: ids, logProbs: logProbs,
      tailLogProb: tailLogProb, targetLogProb: targetLogProb)
  }

  /// A signal without positions, to be filled by ``append(_:)``.
  public init(kind: Kind = .topK) {
    self.init(kind: kind, counts: EmptyCollection(), ids: [], logProbs: [], tailLogProb: [], targetLogProb: [])
  }

  /// Makes room for more positions of so many entries each.
  public mutating func reserve(positions: Int, entries: Int) {
    offsets.reserveCapacity(offsets.count + positions)
    ids.reserveCapacity(ids.count + positions * entries)
    logProbs.reserveCapacity(logProbs.count + positions * entries)
    if kind == .sample { inclusionLogProbs.reserveCapacity(inclusionLogProbs.count + positions * entries) }
    tailLogProb.reserveCapacity(tailLogProb.count + positions)
    targetLogProb.reserveCapacity(targetLogProb.count + positions)
  }

  /// Adds a position.
  ///
  /// - Precondition: it has one entry at least, and inclusion log-probs where the signal is a sample.
  public mutating func append(
    ids: some Collection<Int32>, logProbs: some Collection<Float>, inclusionLogProbs: [Float] = [], tail: Float,
    target: Float
  ) {
    precondition(
      !ids.isEmpty && logProbs.count == ids.count && inclusionLogProbs.count == (kind == .sample ? ids.count : 0),
      "a position of \(ids.count) ids, \(logProbs.count) log-probs and \(inclusionLogProbs.count) inclusions")
    self.ids += ids
    self.logProbs += logProbs
    self.inclusionLogProbs += inclusionLogProbs
    endPosition(tail: tail, target: target)
  }

  /// Ends a position whose entries have been appended to the arrays.
  mutating func endPosition(tail: Float, target: Float) {
    offsets.append(ids.count)
    tailLogProb.append(tail)
    targetLogProb.append(target)
  }

  /// Adds the positions of another signal after this one's.
  ///
  /// - Precondition: both are of one kind.
  public mutating func append(_ other: SparseSignal) {
    precondition(kind == other.kind, "a signal of kind \(other.kind.rawValue) cannot follow one of \(kind.rawValue)")
    let start = ids.count
    for offset in other.offsets.dropFirst() { offsets.append(start + offset) }
    ids += other.ids
    logProbs += other.logProbs
    inclusionLogProbs += other.inclusionLogProbs
    tailLogProb += other.tailLogProb
    targetLogProb += other.targetLogProb
  }

  /// Some of the positions, as a signal of its own.
  public subscript(positions: Range<Int>) -> SparseSignal {
    let entries = offsets[positions.lowerBound]..<offsets[positions.upperBound]
    return SparseSignal(
      kind: kind, counts: positions.lazy.map { self.entries(at: $0).count }, ids: Array(ids[entries]),
      logProbs: Array(logProbs[entries]), inclusionLogProbs: kind == .sample ? Array(inclusionLogProbs[entries]) : [],
      tailLogProb: Array(tailLogProb[positions]), targetLogProb: Array(targetLogProb[positions]))
  }
}

extension SparseSignal {
  /// How far above zero a log-prob may lie: a log-softmax in fp32 can end a rounding above it.
  static let roundingAllowance: Float = 1e-4

  /// Checks what every reader relies on: ids inside the vocabulary and distinct, rows in their order, log-probs finite and
  /// not above zero (but for rounding), tails and targets not NaN and not above zero; a dense row has every id.
  ///
  /// - Throws: a `Diagnostic` of category `failure` naming the position and the value.
  public func validate(vocabularySize: Int) throws {
    var seen = DistinctIDs(vocabularySize: vocabularySize)
    for position in 0..<positionCount {
      let row = entries(at: position)
      guard kind != .dense || row.count == vocabularySize else {
        throw Self.damage("a dense row of \(row.count) ids in a vocabulary of \(vocabularySize)", position)
      }
      seen.startRow()
      for entry in row {
        let id = ids[entry]
        guard id >= 0, Int(id) < vocabularySize else {
          throw Self.damage("token id \(id) is outside the vocabulary of \(vocabularySize)", position)
        }
        guard seen.insert(id) else { throw Self.damage("token id \(id) stands twice", position) }
      }
      try kind.isRanked ? validateRanks(row, position) : validateDraws(row, position)
      try Self.validate(tailLogProb[position], "tail", position)
      try Self.validate(targetLogProb[position], "target", position)
    }
  }

  private func validateRanks(_ row: Range<Int>, _ position: Int) throws {
    var previous = Self.roundingAllowance
    for value in logProbs[row] {
      guard value.isFinite, value <= previous else {
        throw Self.damage("log-prob \(value) is not finite, above zero or out of order", position)
      }
      previous = value
    }
  }

  private func validateDraws(_ row: Range<Int>, _ position: Int) throws {
    for entry in row {
      guard entry == row.lowerBound || ids[entry] > ids[entry - 1] else {
        throw Self.damage("token id \(ids[entry]) of a sample is out of order", position)
      }
      for (name, value) in [("log-prob", logProbs[entry]), ("inclusion log-prob", inclusionLogProbs[entry])] {
        guard value.isFinite, value <= Self.roundingAllowance else {
          throw Self.damage("\(name) \(value) is not finite or above zero", position)
        }
      }
    }
  }

  /// Checks a tail or target log-prob, which may be -infinity.
  static func validate(_ value: Float, _ name: String, _ position: Int) throws {
    guard value <= roundingAllowance else { throw damage("\(name) log-prob \(value) is NaN or above zero", position) }
  }

  static func damage(_ what: String, _ position: Int) -> Diagnostic {
    .failure("position \(position) of the signal: \(what)")
  }
}

/// Finds a repeated id in a row in constant time per id, without clearing a table between rows.
private struct DistinctIDs {
  private var lastRow: [Int32]
  private var row: Int32 = 0

  init(vocabularySize: Int) { lastRow = [Int32](repeating: 0, count: vocabularySize) }

  mutating func startRow() { row += 1 }

  /// False where the id already stands in this row.
  mutating func insert(_ id: Int32) -> Bool {
    defer { lastRow[Int(id)] = row }
    return lastRow[Int(id)] != row
  }
}
