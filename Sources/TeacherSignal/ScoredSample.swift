public import Sequences

/// A token sequence with the teacher's signal at its scored positions, or at some that were selected of them, and whatever
/// else was kept of the teacher.
public struct ScoredSample: Sendable, Equatable {
  /// Prompt then response, special tokens included, and the positions that the teacher was asked about.
  public var sequence: TokenSequence
  /// The positions that ``signal`` is of: those of ``sequence``, unless a selection kept some of them.
  public let positions: ScoredPositions
  public var signal: SparseSignal
  /// Named numbers beside the signal, no name twice.
  public var columns: [Column]
  /// What the teacher was given.
  public var input: SampleInput
  /// Which of the kernels that wrote to a store made the signal: 0 those that began it, else one of those that it lists
  /// besides.
  public var kernels: Int

  /// - Parameter positions: Those that a selection kept; nil for all that were asked about.
  /// - Precondition: the signal, and each column of positions, has one value for each of the positions.
  public init(
    _ sequence: TokenSequence, positions: ScoredPositions? = nil, signal: SparseSignal, columns: [Column] = [],
    input: SampleInput = .tokens, kernels: Int = 0
  ) {
    let positions = positions ?? sequence.scoredPositions
    precondition(positions.isSubset(of: sequence.scoredPositions), "a selection of positions that were not asked about")
    precondition(
      positions.count == signal.positionCount,
      "a sample with \(positions.count) scored positions came with a signal of \(signal.positionCount)")
    for column in columns where column.extent == .position {
      precondition(
        column.values.count == positions.count * column.width,
        "the column \(column.name) has \(column.values.count) numbers for \(positions.count) positions")
    }
    self.sequence = sequence
    self.positions = positions
    self.signal = signal
    self.columns = columns
    self.input = input
    self.kernels = kernels
  }

  /// The sequence with the positions of the signal alone: what a student is trained on.
  public var trainedSequence: TokenSequence {
    positions == sequence.scoredPositions
      ? sequence : TokenSequence(tokenIDs: sequence.tokenIDs, scoredPositions: positions)
  }
}
