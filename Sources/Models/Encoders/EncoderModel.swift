public import NN
public import Tensor

/// What an encoder is made of, in the order in which a token passes through it.
struct EncoderLayers {
  let embedding: any TokenEmbedding
  /// On the sum of the embeddings.
  let embeddingNorm: any RowLayer
  let blocks: [any SequenceLayer]
  /// [sequences, hidden] of the first tokens' hidden states to the same shape; nil where the model has none.
  let pooler: (any RowLayer)?
}

/// An encoder: tokens in, hidden states of every position out, each of which has seen the whole of its sequence.
public final class EncoderModel {
  public let configuration: EncoderConfiguration
  public let parameters: ParameterBuffer
  /// Dropout of recording passes; nil, as models are made, for none.
  public var dropout: Dropout?
  /// What its matrix products round their operands to; fp32, as models are made, leaves them.
  public var precision = Precision.fp32
  /// Whether recording passes keep nothing of a block but its input and run it again on their way back: about a third
  /// more work in a fraction of the memory, and the same bits.
  public var recomputing = false
  private let layers: EncoderLayers

  /// - Parameter layers: Bound to the parameters.
  init(_ configuration: EncoderConfiguration, _ layers: EncoderLayers, _ parameters: ParameterBuffer) {
    self.configuration = configuration
    self.layers = layers
    self.parameters = parameters
  }

  /// Hidden states of the last block, [rows, hidden], of whole sequences packed one after the other.
  ///
  /// - Parameter taps: Hidden states of other places to hand out.
  /// - Precondition: ids lie in the vocabulary, no sequence is longer than the context, and the tape has the model's
  ///   precision.
  public func hiddenStates(_ tokens: [Int32], _ packing: Packing, on tape: Tape, taps: Taps? = nil) -> Variable {
    check(tokens, packing, tape)
    let pass = ForwardPass(
      tape: tape, packing: packing, dropout: tape.recording ? dropout : nil, recomputing: recomputing, taps: taps)
    // [rows, hidden] from here on.
    var x = pass.embeddingDropout(layers.embeddingNorm(layers.embedding(tokens, pass), on: tape))
    x = pass.tap(.embedding, x)
    for (index, block) in layers.blocks.enumerated() {
      x = pass.block(x) { block($0, $1) }
      x = pass.tap(.block(index), x)
    }
    return x
  }

  /// One vector a sequence, [sequences, hidden], of hidden states of ``hiddenStates(_:_:on:taps:)``.
  ///
  /// - Precondition: no sequence is empty; the model has a pooler, where that is asked for.
  public func pooled(_ hidden: Variable, _ packing: Packing, _ pooling: Pooling, on tape: Tape) -> Variable {
    guard pooling == .pooler else { return pooling.rows(of: hidden, packing, on: tape) }
    guard let pooler = layers.pooler else { preconditionFailure("the model has no pooler") }
    return pooler(Pooling.cls.rows(of: hidden, packing, on: tape), on: tape)
  }

  private func check(_ tokens: [Int32], _ packing: Packing, _ tape: Tape) {
    precondition(tape.precision == precision, "a tape in \(tape.precision) does not fit a model in \(precision)")
    precondition(tokens.count == packing.rowCount, "\(tokens.count) tokens for \(packing.rowCount) rows")
    let (vocabulary, context) = (Int32(configuration.vocabularySize), Int32(configuration.contextLength))
    for token in tokens where token < 0 || token >= vocabulary {
      preconditionFailure("token \(token) is outside the vocabulary of \(vocabulary)")
    }
    for position in packing.positions where position >= context {
      preconditionFailure("position \(position) is beyond the context of \(context) tokens")
    }
  }
}
