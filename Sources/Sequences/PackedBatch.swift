/// Sequences laid end to end without padding, and which of their positions are scored.
///
/// A sequence's last token is only a target, never an input: a batch has `count - 1` rows for it.
public struct PackedBatch: Sendable {
  /// Input tokens of all sequences.
  public let tokens: [Int32]
  /// How many of ``tokens`` each sequence has.
  public let lengths: [Int]
  /// Rows whose next token is scored, ascending.
  public let scoredRows: [Int]
  /// The token after each scored row.
  public let targets: [Int32]
  /// Sequence i owns `scoredRows[scoredRanges[i]]`.
  public let scoredRanges: [Range<Int>]
  /// What the inputs are mixed with; nil where they are tokens alone.
  public let mixture: Mixture?

  /// The second sequences of mixtures, row by row.
  public struct Mixture: Sendable {
    /// As many as ``PackedBatch/tokens``.
    public let others: [Int32]
    /// Of the first sequence, in each row.
    public let shares: [Float]
  }

  /// Mixtures laid end to end; ``targets`` are the first sequences'.
  public init(_ mixtures: [SequenceMixture]) {
    self.init(
      mixtures.map(\.sequence),
      mixture: Mixture(
        others: mixtures.flatMap { $0.others.dropLast() },
        shares: mixtures.flatMap { Array(repeating: $0.share, count: max($0.others.count - 1, 0)) }))
  }

  public init(_ sequences: [TokenSequence]) { self.init(sequences, mixture: nil) }

  private init(_ sequences: [TokenSequence], mixture: Mixture?) {
    var tokens: [Int32] = []
    var rows: [Int] = []
    var targets: [Int32] = []
    var ranges: [Range<Int>] = []
    for sequence in sequences {
      let start = tokens.count
      ranges.append(rows.count..<rows.count + sequence.scoredPositions.count)
      for run in sequence.scoredPositions.runs { rows += run.lowerBound + start..<run.upperBound + start }
      targets += sequence.targets
      tokens += sequence.tokenIDs.dropLast()
    }
    self.tokens = tokens
    self.targets = targets
    lengths = sequences.map { max($0.count - 1, 0) }
    scoredRows = rows
    scoredRanges = ranges
    self.mixture = mixture
  }

  /// The row of each target where it is read in its turn, which is the one behind its scored row; nil for a token that ends its
  /// sequence, which is never read.
  public var rowsOfTargets: [Int?] {
    var end = 0
    return zip(lengths, scoredRanges).flatMap { length, range in
      end += length
      return range.map { scoredRows[$0] + 1 < end ? scoredRows[$0] + 1 : nil }
    }
  }
}
