/// Which positions of its sequence a position attends to.
public enum AttentionSpan: Sendable, Equatable {
  /// Itself and all before it.
  case causal
  /// So many, of which it is the last itself (Beltagy et al., arXiv 2004.05150; Mistral, arXiv 2310.06825).
  case window(Int)
  /// All of them, before it and after it.
  case all
}

/// How the positions of a sequence attend to each other.
public struct AttentionForm: Sendable, Equatable {
  /// Heads of the queries.
  public let heads: Int
  /// Heads of keys and values: query head h uses key head `h / (heads / keyValueHeads)` (Ainslie et al., arXiv
  /// 2305.13245).
  public let keyValueHeads: Int
  /// What products of queries and keys are multiplied by.
  public let scale: Float
  public let span: AttentionSpan
  /// Bounds scaled scores softly before the softmax, as `cap * tanh(score / cap)` (Gemma 2, arXiv 2408.00118); nil
  /// leaves them.
  public let softCap: Float?

  /// - Precondition: the heads are a multiple of the key heads; a window and a cap are positive.
  public init(heads: Int, keyValueHeads: Int, scale: Float, span: AttentionSpan = .causal, softCap: Float? = nil) {
    precondition(
      heads > 0 && keyValueHeads > 0 && heads % keyValueHeads == 0, "\(heads) heads over \(keyValueHeads) key heads")
    if case .window(let count) = span { precondition(count > 0, "a window of \(count) positions") }
    precondition(softCap.map { $0 > 0 } ?? true, "a soft cap of \(softCap ?? 0)")
    (self.heads, self.keyValueHeads, self.scale, self.span, self.softCap) = (heads, keyValueHeads, scale, span, softCap)
  }
}
