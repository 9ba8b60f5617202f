import Glibc

/// Signals of somebody who reports the most probable ids alone, as servers do.
extension SparseSignal {
  /// The mass that one fp32 sum of probabilities cannot tell from none.
  private static let resolution = 0x1p-24
  /// How far above one the mass of the ids kept may lie: log-probs of half-precision logits sum to one within this.
  static let excess = 1e-2

  /// The log of the mass that the ids which are not kept have together, as far as those that are kept tell: one minus their
  /// sum. It is held between the bounds that are known besides: every other id is at most as probable as the least probable
  /// one kept, and together they have more than what a sum in fp32 can resolve.
  ///
  /// - Parameter logProbs: Of the most probable ids of a position, in any order.
  /// - Returns: Minus infinity where every id of the vocabulary is kept; nil where the probabilities sum to more than one, by
  ///   more than rounding does, or one is not a number.
  /// - Precondition: there is one at least.
  public static func derivedTail(of logProbs: some Collection<Float>, vocabularySize: Int) -> Float? {
    var sum = 0.0, least = Double.infinity
    for value in logProbs {
      // In fp32: the sum is told from one no better than that.
      sum += Double(exp(value))
      least = min(least, Double(value))
    }
    guard sum <= 1 + excess else { return nil }
    let others = vocabularySize - logProbs.count
    guard others > 0 else { return -.infinity }
    let most = Double(others) * exp(least)
    return Float(log(min(most, max(1 - sum, resolution))))
  }

  /// Adds a position of which the most probable ids are known and no others: sorts them by descending log-prob, equal ones by
  /// id, keeps the first `topK` that have any mass, and derives the tail.
  ///
  /// - Parameters:
  ///   - entries: Ids with their log-probs, no id twice.
  ///   - target: The log-prob of the token that follows.
  /// - Returns: False, and nothing is added, where they are no probabilities (see ``derivedTail(of:vocabularySize:)``).
  /// - Precondition: there is an entry, and the signal is of kind ``Kind/derivedTail``.
  public mutating func append(
    reported entries: inout [(id: Int32, logProb: Float)], topK: Int, target: Float, vocabularySize: Int
  ) -> Bool {
    precondition(
      kind == .derivedTail && !entries.isEmpty, "\(entries.count) entries of a signal of kind \(kind.rawValue)")
    entries.removeAll { $0.logProb == -.infinity }
    guard !entries.isEmpty else { return false }
    // What a server sends is ranked already, but for the token that follows.
    var isRanked = true
    for index in entries.indices.dropFirst() where isRanked {
      isRanked = (entries[index].logProb, entries[index - 1].id) < (entries[index - 1].logProb, entries[index].id)
    }
    if !isRanked { entries.sort { ($1.logProb, $0.id) < ($0.logProb, $1.id) } }
    let kept = entries.prefix(topK)
    guard let tail = Self.derivedTail(of: kept.lazy.map(\.logProb), vocabularySize: vocabularySize) else {
      return false
    }
    for entry in kept {
      ids.append(entry.id)
      // A log-softmax in half precision can end a rounding above zero.
      logProbs.append(min(entry.logProb, 0))
    }
    endPosition(tail: tail, target: min(target, 0))
    return true
  }
}
