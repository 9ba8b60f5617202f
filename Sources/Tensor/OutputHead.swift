import CKernels

/// A model's language-model head: what turns hidden states into logits, `hidden · tableᵀ`.
public struct OutputHead: Sendable {
  /// [vocabulary, hidden].
  public let table: Parameter
  /// Bounds logits softly, as `cap * tanh(logit / cap)` (Gemma 2, arXiv 2408.00118); nil leaves them.
  public let softCap: Float?

  /// - Precondition: a cap is positive.
  public init(_ table: Parameter, softCap: Float? = nil) {
    precondition(softCap.map { $0 > 0 } ?? true, "a soft cap of \(softCap ?? 0)")
    self.table = table
    self.softCap = softCap
  }

  /// In place: products of hidden states and table, [rows, vocabulary], to logits.
  public func cap(_ logits: Tensor) {
    guard let softCap else { return }
    Engine.parallel(count: logits.count, grain: elementGrain) { range in
      unsafe kernels.softCap(logits.base + range.lowerBound, range.count, 1, softCap)
    }
  }
}
