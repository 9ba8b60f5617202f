import NN
import Tensor

/// `a = x + attention(norm(x))`, then `a + feedForward(norm(a))` (Xiong et al., arXiv 2002.04745), with residual dropout
/// on what is added.
struct PreNormBlock: SequenceLayer {
  let attentionNorm: any RowLayer
  let attention: any SequenceLayer
  let feedForwardNorm: any RowLayer
  let feedForward: any RowLayer
  /// What is added is multiplied by this.
  var residualScale: Float = 1

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    // All [rows, hidden].
    let attended = pass.residual(x, scaled(attention(attentionNorm(x, on: pass.tape), pass), pass))
    return pass.residual(attended, scaled(feedForward(feedForwardNorm(attended, on: pass.tape), on: pass.tape), pass))
  }

  private func scaled(_ update: Variable, _ pass: ForwardPass) -> Variable {
    residualScale == 1 ? update : pass.tape.scale(update, by: residualScale)
  }
}

/// As ``PreNormBlock``, with a norm on what each half adds too (Gemma 2, arXiv 2408.00118).
struct SandwichBlock: SequenceLayer {
  let attentionNorm: any RowLayer
  let attention: any SequenceLayer
  let afterAttentionNorm: any RowLayer
  let feedForwardNorm: any RowLayer
  let feedForward: any RowLayer
  let afterFeedForwardNorm: any RowLayer

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    // All [rows, hidden].
    let attention = attention(attentionNorm(x, on: pass.tape), pass)
    let attended = pass.residual(x, afterAttentionNorm(attention, on: pass.tape))
    let update = feedForward(feedForwardNorm(attended, on: pass.tape), on: pass.tape)
    return pass.residual(attended, afterFeedForwardNorm(update, on: pass.tape))
  }
}

/// `x + attention(norm(x)) + feedForward(norm(x))`, each with a norm of its own (GPT-J; GPT-NeoX, arXiv 2204.06745).
struct ParallelBlock: SequenceLayer {
  let attentionNorm: any RowLayer
  let attention: any SequenceLayer
  let feedForwardNorm: any RowLayer
  let feedForward: any RowLayer

  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable {
    // All [rows, hidden].
    let attended = pass.residual(x, attention(attentionNorm(x, on: pass.tape), pass))
    return pass.residual(attended, feedForward(feedForwardNorm(x, on: pass.tape), on: pass.tape))
  }
}

/// Vectors of tokens and of their positions, added.
struct LearnedPositions: TokenEmbedding {
  let tokens: Embedding
  let positions: Embedding
  /// Row of the table that position 0 has.
  var firstRow: Int32 = 0

  func callAsFunction(_ tokens: [Int32], _ pass: ForwardPass) -> Variable {
    // [rows, hidden] each.
    let positions = self.positions(pass.packing.positions.map { $0 + firstRow }, on: pass.tape)
    return pass.tape.add(self.tokens(tokens, on: pass.tape), positions)
  }
}

/// The table of the tokens alone, where a model learns no positions.
extension Embedding: TokenEmbedding {
  func callAsFunction(_ tokens: [Int32], _ pass: ForwardPass) -> Variable { self(tokens, on: pass.tape) }
}

/// Vectors of tokens times a number.
struct ScaledEmbedding: TokenEmbedding {
  let tokens: Embedding
  let scale: Float

  func callAsFunction(_ tokens: [Int32], _ pass: ForwardPass) -> Variable {
    let vectors = self.tokens(tokens, on: pass.tape)  // [rows, hidden]
    return scale == 1 ? vectors : pass.tape.scale(vectors, by: scale)
  }
}

/// A layer whose result is multiplied by a number.
struct ScaledRows: RowLayer {
  let layer: any RowLayer
  let scale: Float

  func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    let y = layer(x, on: tape)
    return scale == 1 ? y : tape.scale(y, by: scale)
  }
}
