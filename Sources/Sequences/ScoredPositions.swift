/// The positions of a sequence whose next token is scored: an ordered set, kept as ranges, since responses are long runs.
///
/// Position i stands for the distribution of the token after `tokenIDs[i]`. Everything that decides where a teacher is
/// asked and a student is trained is such a set: the response of a row, every answer of a conversation, a selected share.
public struct ScoredPositions: Sendable, Hashable {
  /// Ascending ranges, none empty, none touching the next.
  public let runs: [Range<Int>]
  /// Number of positions.
  public let count: Int

  /// The set of some ranges.
  ///
  /// - Precondition: they ascend, from 0 at least, and do not overlap; empty ones count for nothing.
  public init(runs: some Sequence<Range<Int>>) {
    var joined: [Range<Int>] = []
    for run in runs where !run.isEmpty {
      let end = joined.last?.upperBound ?? 0
      precondition(run.lowerBound >= end, "the positions \(run) come after position \(end - 1)")
      if let last = joined.last, last.upperBound == run.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<run.upperBound
      } else {
        joined.append(run)
      }
    }
    self.runs = joined
    count = joined.reduce(0) { $0 + $1.count }
  }

  /// The set of some positions.
  ///
  /// - Precondition: they ascend strictly, from 0 at least.
  public init(_ positions: some Sequence<Int>) { self.init(runs: positions.map { $0..<$0 + 1 }) }

  /// The positions that a response takes which follows its prompt and ends the sequence: from the last token of the prompt
  /// to the last but one of all. Nothing precedes the first token, so it is never scored.
  ///
  /// - Parameters:
  ///   - promptLength: Number of leading tokens that are the prompt; 0 is allowed.
  ///   - tokenCount: Number of tokens in the sequence.
  public static func response(promptLength: Int, tokenCount: Int) -> ScoredPositions {
    let first = Swift.max(promptLength, 1) - 1
    return ScoredPositions(runs: [first..<Swift.max(first, tokenCount - 1)])
  }

  public var isEmpty: Bool { runs.isEmpty }

  /// One more than the last position; 0 without any.
  public var end: Int { runs.last?.upperBound ?? 0 }

  /// Whether a position is among them, found by halving.
  public func contains(_ position: Int) -> Bool {
    var low = 0, high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].upperBound <= position { low = middle + 1 } else { high = middle }
    }
    return low < runs.count && runs[low].contains(position)
  }

  /// Whether every position is one of the other set's.
  public func isSubset(of other: ScoredPositions) -> Bool {
    var place = other.runs.makeIterator()
    var around = place.next()
    for run in runs {
      while let range = around, range.upperBound < run.upperBound { around = place.next() }
      guard let around, around.lowerBound <= run.lowerBound else { return false }
    }
    return true
  }
}

extension ScoredPositions: Sequence {
  /// The positions in ascending order.
  public struct Iterator: IteratorProtocol {
    private let runs: [Range<Int>]
    private var run = 0
    private var position: Int

    init(_ runs: [Range<Int>]) {
      self.runs = runs
      position = runs.first?.lowerBound ?? 0
    }

    public mutating func next() -> Int? {
      guard run < runs.count else { return nil }
      defer {
        position += 1
        if position == runs[run].upperBound {
          run += 1
          if run < runs.count { position = runs[run].lowerBound }
        }
      }
      return position
    }
  }

  public func makeIterator() -> Iterator { Iterator(runs) }
  public var underestimatedCount: Int { count }
}
