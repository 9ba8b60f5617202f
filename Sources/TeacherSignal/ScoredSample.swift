/// Token ids of a prompt and its response, with the teacher's signal at every scored position.
public struct ScoredSample: Sendable, Equatable {
  /// Prompt then response, special tokens included.
  public var tokenIDs: [Int32]
  /// Number of leading ids that are the prompt; 0 is allowed.
  public var promptLength: Int
  /// One position for each of ``scoredPositions``.
  public var signal: SparseSignal

  /// - Precondition: the signal has one position for each scored position of the sample.
  public init(tokenIDs: [Int32], promptLength: Int, signal: SparseSignal) {
    precondition(
      (0...tokenIDs.count).contains(promptLength),
      "a prompt of \(promptLength) tokens does not fit in a sample of \(tokenIDs.count)")
    let scored = Self.scoredPositions(promptLength: promptLength, count: tokenIDs.count)
    precondition(
      scored.count == signal.positionCount,
      "a sample with \(scored.count) scored positions came with a signal of \(signal.positionCount)")
    self.tokenIDs = tokenIDs
    self.promptLength = promptLength
    self.signal = signal
  }

  /// The positions whose next token is scored.
  public var scoredPositions: Range<Int> {
    Self.scoredPositions(promptLength: promptLength, count: tokenIDs.count)
  }

  /// The tokens that ``scoredPositions`` predict: the response, without the first token of a sample that has no prompt.
  public var targets: ArraySlice<Int32> {
    let scored = scoredPositions
    return tokenIDs[scored.lowerBound...].dropFirst().prefix(scored.count)
  }

  /// Positions of a sample of `count` tokens whose next token belongs to the response: from the last token of the
  /// prompt to the last but one of all. Nothing precedes the first token, so it is never scored.
  public static func scoredPositions(promptLength: Int, count: Int) -> Range<Int> {
    let first = max(promptLength, 1) - 1
    return first..<max(first, count - 1)
  }
}
