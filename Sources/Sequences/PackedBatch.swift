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

  public init(_ sequences: [TokenSequence]) {
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
  }
}
