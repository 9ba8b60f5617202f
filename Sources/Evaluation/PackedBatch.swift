public import Tensor
import TeacherSignal

/// Token ids with the number of leading ones that are the prompt.
public struct TokenSequence: Sendable, Equatable {
  public var tokenIDs: [Int32]
  public var promptLength: Int

  public init(tokenIDs: [Int32], promptLength: Int) {
    self.tokenIDs = tokenIDs
    self.promptLength = promptLength
  }

  /// The positions whose next token is scored: everything after the prompt, and never the first token.
  public var scoredPositions: Range<Int> {
    ScoredSample.scoredPositions(promptLength: promptLength, count: tokenIDs.count)
  }
}

/// Sequences laid end to end without padding, and which of their positions are scored.
///
/// A sequence's last token is only a target, never an input: a batch has `count - 1` rows for it.
public struct PackedBatch: Sendable {
  /// Input tokens of all sequences.
  public let tokens: [Int32]
  public let packing: Packing
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
      let positions = sequence.scoredPositions
      ranges.append(rows.count..<rows.count + positions.count)
      rows += positions.map { start + $0 }
      targets += positions.map { sequence.tokenIDs[$0 + 1] }
      tokens += sequence.tokenIDs.dropLast()
    }
    self.tokens = tokens
    self.targets = targets
    packing = Packing(lengths: sequences.map { max($0.tokenIDs.count - 1, 0) })
    scoredRows = rows
    scoredRanges = ranges
  }
}
