import Glibc

/// A model whose distributions are a function of the tokens that anybody can compute: what a server should have said is known.
///
/// The token that follows in the sequence itself is likely, as it is for good models on real text: a shift can be seen.
public struct StubModel: Sendable {
  public var vocabularySize: Int
  /// Another one is another model.
  public var seed: UInt64

  public init(vocabularySize: Int, seed: UInt64 = 1) {
    self.vocabularySize = vocabularySize
    self.seed = seed
  }

  /// The log-probs of all ids after the token at a position.
  public func logProbs(after position: Int, of tokens: [Int32]) -> [Float] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15
    for token in tokens[max(0, position - 2)...position] {
      state = Self.mixed(state ^ UInt64(truncatingIfNeeded: token &+ 1))
    }
    var logits = (0..<vocabularySize).map { id in
      6 * Double(Self.mixed(state &+ UInt64(id) &* 0xD1B5_4A32_D192_ED03) >> 11) * 0x1p-53
    }
    if position + 1 < tokens.count { logits[Int(tokens[position + 1])] += 2 }
    let most = logits.max() ?? 0
    let normaliser = most + log(logits.reduce(0) { $0 + exp($1 - most) })
    return logits.map { Float($0 - normaliser) }
  }

  /// The most probable ids after the token at a position, by descending log-prob, and the log-prob of the token that follows.
  public func top(
    _ count: Int, after position: Int, of tokens: [Int32]
  ) -> (entries: [(id: Int32, logProb: Float)], target: Float) {
    let all = logProbs(after: position, of: tokens)
    let order = all.indices.sorted { (all[$1], $0) < (all[$0], $1) }
    return (order.prefix(count).map { (Int32($0), all[$0]) }, all[Int(tokens[position + 1])])
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var value = value
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
