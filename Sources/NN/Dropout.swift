public import RandomStreams
import Tensor

/// Dropout of a model in training: the rates and the stream the masks are drawn from.
///
/// A class, since every forward pass moves the stream on; a checkpoint holds ``stream``.
public final class Dropout {
  /// Rate on the sum of the embeddings, in 0 ..< 1.
  public let embedding: Float
  /// Rate on what attention and feed-forward add to the residual, in 0 ..< 1.
  public let residual: Float
  public var stream: RandomStream

  public init(embedding: Float, residual: Float, stream: RandomStream) {
    precondition(
      (0..<1).contains(embedding) && (0..<1).contains(residual), "rates \(embedding), \(residual) are not in 0 ..< 1")
    self.embedding = embedding
    self.residual = residual
    self.stream = stream
  }

  func apply(_ x: Variable, probability: Float, on tape: Tape) -> Variable {
    probability == 0 ? x : tape.dropout(x, probability: probability, stream: &stream)
  }
}
