/// Two sequences that a model is given as one: at each place `share` of the first one's embedding and the rest of the second one's
/// (MixKD, arXiv 2011.00593, section 3.1). Both are cut to the length of the shorter one. There is no token that follows, so
/// there are distributions to compare and nothing to predict.
public struct SequenceMixture: Sendable, Equatable {
  /// The first one's tokens. Its scored positions are those of either: which of the two comes first changes nothing.
  public let sequence: TokenSequence
  /// The second one's tokens, as many.
  public let others: [Int32]
  /// Of the first one, from 0 to 1.
  public let share: Float

  public init(_ first: TokenSequence, _ second: TokenSequence, share: Float) {
    precondition(share >= 0 && share <= 1, "a mixture of \(share) and the rest")
    let count = min(first.count, second.count)
    let scored = (0..<max(count - 1, 0)).filter {
      first.scoredPositions.contains($0) || second.scoredPositions.contains($0)
    }
    sequence = TokenSequence(tokenIDs: Array(first.tokenIDs.prefix(count)), scoredPositions: ScoredPositions(scored))
    others = Array(second.tokenIDs.prefix(count))
    self.share = share
  }
}
