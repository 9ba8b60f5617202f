public import Fingerprints

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

  /// A fingerprint of the content: number of tokens, number of runs of scored positions, each run's bounds and the ids, as
  /// 32-bit little-endian integers.
  public var fingerprint: Fingerprint {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(4 * (count + 2 * scoredPositions.runs.count + 2))
    func append(_ value: Int32) {
      for shift in stride(from: Int32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
    append(Int32(count))
    append(Int32(scoredPositions.runs.count))
    for run in scoredPositions.runs {
      append(Int32(run.lowerBound))
      append(Int32(run.upperBound))
    }
    for id in tokenIDs { append(id) }
    return Fingerprint(of: bytes)
  }
}
