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
