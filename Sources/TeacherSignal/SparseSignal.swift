import Diagnostics

/// What a teacher thinks of the next token at consecutive positions of one sample: its `topK` most probable ids with
/// their log-probs, the mass of all other ids as one tail, and the log-prob of the token that actually follows.
///
/// With the tail stored, every position is a true distribution over `topK + 1` outcomes; nothing is renormalised.
public struct SparseSignal: Sendable, Equatable {
  /// Number of ids kept at each position; the whole vocabulary where it is smaller than what was asked for.
  public var topK: Int
  /// Token ids, `positionCount` rows of `topK`, each row by descending log-prob.
  public var ids: [Int32]
  /// Natural log-probs of ``ids``, in the same order.
  public var logProbs: [Float]
  /// One value a position: log-sum-exp of the log-probs of every id outside the top-k; -infinity where there is none.
  public var tailLogProb: [Float]
  /// One value a position: the log-prob of the token that follows in the sample, be it inside the top-k or not.
  public var targetLogProb: [Float]

  /// Number of positions.
  public var positionCount: Int { tailLogProb.count }

  /// - Precondition: the four arrays hold the same number of positions.
  public init(topK: Int, ids: [Int32], logProbs: [Float], tailLogProb: [Float], targetLogProb: [Float]) {
    precondition(topK > 0, "top-k of a signal must be positive, not \(topK)")
    precondition(
      ids.count == topK * tailLogProb.count && logProbs.count == ids.count
        && targetLogProb.count == tailLogProb.count,
      "a signal of top-k \(topK) has \(ids.count) ids, \(logProbs.count) log-probs, \(tailLogProb.count) tails and \(targetLogProb.count) targets"
    )
    self.topK = topK
    self.ids = ids
    self.logProbs = logProbs
    self.tailLogProb = tailLogProb
    self.targetLogProb = targetLogProb
  }

  /// A signal without positions, to be filled by ``append(_:)``.
  public init(topK: Int) {
    self.init(topK: topK, ids: [], logProbs: [], tailLogProb: [], targetLogProb: [])
  }

  /// Adds the positions of another signal after this one's.
  ///
  /// - Precondition: both keep the same number of ids.
  public mutating func append(_ other: SparseSignal) {
    precondition(topK == other.topK, "a signal of top-k \(other.topK) cannot follow one of top-k \(topK)")
    ids += other.ids
    logProbs += other.logProbs
    tailLogProb += other.tailLogProb
    targetLogProb += other.targetLogProb
  }

  /// Some of the positions, as a signal of its own.
  public subscript(positions: Range<Int>) -> SparseSignal {
    let entries = positions.lowerBound * topK..<positions.upperBound * topK
    return SparseSignal(
      topK: topK, ids: Array(ids[entries]), logProbs: Array(logProbs[entries]),
      tailLogProb: Array(tailLogProb[positions]), targetLogProb: Array(targetLogProb[positions]))
  }
}

extension SparseSignal {
  /// How far above zero a log-prob may lie: a log-softmax in fp32 can end a rounding above it.
  static let roundingAllowance: Float = 1e-4

  /// Checks what every reader relies on: ids inside the vocabulary and distinct, rows in descending order, log-probs
  /// finite and not above zero (but for rounding), tails and targets not NaN and not above zero.
  ///
  /// - Throws: a `Diagnostic` of category `failure` naming the position and the value.
  public func validate(vocabularySize: Int) throws {
    var seen = DistinctIDs(vocabularySize: vocabularySize)
    for position in 0..<positionCount {
      seen.startRow()
      var previous = Self.roundingAllowance
      for entry in position * topK..<(position + 1) * topK {
        let id = ids[entry], value = logProbs[entry]
        guard id >= 0, Int(id) < vocabularySize else {
          throw Self.damage("token id \(id) is outside the vocabulary of \(vocabularySize)", position)
        }
        guard seen.insert(id) else { throw Self.damage("token id \(id) stands twice", position) }
        guard value.isFinite, value <= previous else {
          throw Self.damage("log-prob \(value) is not finite, above zero or out of order", position)
        }
        previous = value
      }
      try Self.validate(tailLogProb[position], "tail", position)
      try Self.validate(targetLogProb[position], "target", position)
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
