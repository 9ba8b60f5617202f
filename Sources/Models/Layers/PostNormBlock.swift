import NN
import Tensor

/// `a = norm(x + attention(x))`, then `norm(a + feedForward(a))`, with a norm of its own each (Vaswani et al., arXiv
/// 1706.03762), and residual dropout on what is added.
struct PostNormBlock: SequenceLayer {
  let attention: any SequenceLayer
  let attentionNorm: any RowLayer
  let feedForward: any RowLayer
  let feedForwardNorm: any RowLayer

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    // All [rows, hidden].
    let attended = attentionNorm(pass.residual(x, attention(x, pass)), on: pass.tape)
    return feedForwardNorm(pass.residual(attended, feedForward(attended, on: pass.tape)), on: pass.tape)
  }
}
