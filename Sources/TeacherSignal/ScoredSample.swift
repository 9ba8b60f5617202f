public import Sequences

/// A token sequence with the teacher's signal at every scored position.
public struct ScoredSample: Sendable, Equatable {
  /// Prompt then response, special tokens included, and the positions that the teacher was asked about.
  public var sequence: TokenSequence
  /// One position for each scored one of ``sequence``.
  public var signal: SparseSignal

  /// - Precondition: the signal has one position for each scored position of the sequence.
  public init(_ sequence: TokenSequence, signal: SparseSignal) {
    precondition(
      sequence.scoredPositions.count == signal.positionCount,
      "a sample with \(sequence.scoredPositions.count) scored positions came with a signal of \(signal.positionCount)")
    self.sequence = sequence
    self.signal = signal
  }
}
