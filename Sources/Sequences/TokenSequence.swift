/// Token ids and which of their positions are scored: what a model is given, a teacher is asked about and a student is
/// trained on.
public struct TokenSequence: Sendable, Hashable {
  /// Special tokens included.
  public let tokenIDs: [Int32]
  /// Positions whose next token is scored.
  public let scoredPositions: ScoredPositions

  /// - Precondition: each scored position has a next token.
  public init(tokenIDs: [Int32], scoredPositions: ScoredPositions) {
    precondition(
      scoredPositions.end < max(tokenIDs.count, 1),
      "position \(scoredPositions.end - 1) of a sequence of \(tokenIDs.count) tokens has no next token")
    self.tokenIDs = tokenIDs
    self.scoredPositions = scoredPositions
  }

  /// A prompt and the response that follows it, which is scored.
  ///
  /// - Parameter promptLength: Number of leading ids that are the prompt; 0 is allowed.
  /// - Precondition: the prompt is no longer than the sequence.
  public init(tokenIDs: [Int32], promptLength: Int) {
    precondition(
      (0...tokenIDs.count).contains(promptLength),
      "a prompt of \(promptLength) tokens does not fit in a sequence of \(tokenIDs.count)")
    self.init(
      tokenIDs: tokenIDs, scoredPositions: .response(promptLength: promptLength, tokenCount: tokenIDs.count))
  }

  /// Number of tokens.
  public var count: Int { tokenIDs.count }

  /// The tokens that ``scoredPositions`` predict, in their order.
  public var targets: [Int32] {
    var targets: [Int32] = []
    targets.reserveCapacity(scoredPositions.count)
    for run in scoredPositions.runs { targets += tokenIDs[run.lowerBound + 1...run.upperBound] }
    return targets
  }

  /// Number of tokens before the response, where the scored positions are one run that ends the sequence; all of them where
  /// nothing is scored; nil where something else is scored.
  public var promptLength: Int? {
    guard let run = scoredPositions.runs.first else { return count }
    return scoredPositions.runs.count == 1 && run.upperBound == count - 1 ? run.lowerBound + 1 : nil
  }
}
