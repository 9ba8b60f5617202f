public import NN
public import Sequences
public import Tensor

extension SequenceLimits {
  /// What a model can read.
  ///
  /// - Parameter role: What messages call it, such as `the teacher`.
  public init(_ model: ModelConfiguration, role: String) {
    self.init(role: role, vocabulary: model.vocabularySize, context: model.contextLength)
  }

  /// What an encoder can read.
  ///
  /// - Parameter role: What messages call it, such as `the model`.
  public init(_ model: EncoderConfiguration, role: String) {
    self.init(role: role, vocabulary: model.vocabularySize, context: model.contextLength)
  }
}

extension PackedBatch {
  /// Where each sequence begins, for a model's attention and positions.
  public var packing: Packing { Packing(lengths: lengths) }
}

extension CausalLanguageModel {
  /// Hidden states after the final norm, [rows, hidden], of a batch's inputs: its tokens, or the mixtures of their embeddings with
  /// others'.
  ///
  /// - Parameter taps: Hidden states of other places to hand out.
  /// - Precondition: as for ``hiddenStates(_:_:on:taps:)``.
  public func hiddenStates(_ batch: PackedBatch, on tape: Tape, taps: Taps? = nil) -> Variable {
    let pass = pass(batch.packing, on: tape, taps: taps)
    var embeddings = embed(batch.tokens, pass)  // [rows, hidden]
    if let mixture = batch.mixture {
      embeddings = tape.mix(embeddings, embed(mixture.others, pass), shares: mixture.shares)
    }
    return body(embeddings, pass)
  }
}

extension ModelConfiguration {
  /// So many blocks spread evenly over the depth, by their numbers in ascending order; the last is the last. Of more than there are,
  /// some stand twice.
  package func blocks(spread count: Int) -> [Int] {
    // Rounded up, so that the last is the last.
    (1...count).map { ($0 * layerCount + count - 1) / count - 1 }
  }
}
