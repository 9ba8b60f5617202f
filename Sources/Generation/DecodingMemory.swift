import Models
import NN
import Tensor

/// What decoding takes beside the model's parameters, in bytes.
///
/// Not counted: the panels of scores that attention holds for each thread, which grow with the longest text.
public struct DecodingMemory: Sendable, Equatable {
  /// Rows decoded side by side.
  public var batchSize: Int
  /// Tokens of prompt and response that there is room for in each.
  public var capacity: Int
  /// Weights laid out for products.
  public var weights: Int
  /// Keys and values of all rows.
  public var cache: Int
  /// Activations and logits of the largest pass.
  public var pass: Int
  /// What sampling from the logits takes.
  public var sampling: Int

  public var total: Int { weights + cache + pass + sampling }

  public init(batchSize: Int, capacity: Int, weights: Int, cache: Int, pass: Int, sampling: Int) {
    (self.batchSize, self.capacity) = (batchSize, capacity)
    (self.weights, self.cache, self.pass, self.sampling) = (weights, cache, pass, sampling)
  }
}

extension DecodingMemory {
  /// What it will take at most; a matrix that is only looked up counts as laid out where its shape does not tell.
  ///
  /// - Parameter rows: Of the largest pass.
  init(_ model: any CausalLanguageModel, settings: SamplingSettings, batchSize: Int, capacity: Int, rows: Int) {
    let sizes = model.configuration
    let word = MemoryLayout<Float>.stride
    let matrices = model.parameters.parameters.filter { parameter in
      parameter.shape.count == 2
        && (parameter.shape[0] != sizes.vocabularySize || parameter.name == model.head.table.name)
    }
    weights = matrices.reduce(0) { sum, matrix in
      sum
        + [true, false].map {
          PackedMatrix.bytes(matrix.weights, transposed: $0, precision: model.precision)
        }.max()!
    }
    cache = KeyValueCache.bytes(
      slots: batchSize, layers: sizes.layerCount, capacity: capacity, heads: sizes.keyValueHeadCount,
      headDimension: sizes.headDimension, precision: model.precision)
    let forward = ForwardMemory(model)
    let logits = batchSize * (sizes.hiddenSize + sizes.vocabularySize) * word
    pass = max(forward.peak(rows), forward.kept(rows) + logits)
    sampling = batchSize * sizes.vocabularySize * Sampler.buffers(settings) * word
    (self.batchSize, self.capacity) = (batchSize, capacity)
  }
}
