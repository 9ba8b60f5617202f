import NN
import Tensor

/// What a family's model is made of, in the order in which a token passes through it.
struct DecoderLayers {
  let embedding: any TokenEmbedding
  let blocks: [any SequenceLayer]
  let norm: any RowLayer
  let head: OutputHead
}

/// Tokens to what the first block reads.
protocol TokenEmbedding {
  /// [rows, hidden] of the packed `tokens` of a pass.
  func callAsFunction(_ tokens: [Int32], _ pass: ForwardPass) -> Variable
}

/// A layer in which the positions of a sequence see each other: an attention, or a block around one.
protocol SequenceLayer {
  /// `x` [rows, hidden] to the same shape.
  func callAsFunction(_ x: Variable, _ pass: ForwardPass) -> Variable
}

/// Embedding, blocks, final norm and head: a model of any family.
final class Decoder: CausalLanguageModel {
  var configuration: ModelConfiguration
  let parameters: ParameterBuffer
  let adapters: ParameterBuffer?
  var dropout: Dropout?
  var precision = Precision.fp32
  var recomputing = false
  private let layers: DecoderLayers
  private let shared: SharedNames?

  /// - Parameters:
  ///   - layers: Bound to the parameters, and to the adapters.
  ///   - shared: The names of layers that are used twice; nil where there are none.
  init(
    _ configuration: ModelConfiguration, _ layers: DecoderLayers, _ parameters: ParameterBuffer,
    adapters: ParameterBuffer? = nil, shared: SharedNames? = nil
  ) {
    self.configuration = configuration
    self.layers = layers
    self.parameters = parameters
    self.adapters = adapters
    self.shared = shared
  }

  var head: OutputHead { layers.head }
  var sharing: LayerSharing? { shared?.settings }

  var savedParameters: [Parameter] {
    guard let shared else { return parameters.parameters }
    return shared.names.map { place, holder in parameters[holder].renamed(place) }
  }

  func embed(_ tokens: [Int32], _ pass: ForwardPass) -> Variable {
    check(tokens, pass)
    return layers.embedding(tokens, pass)
  }

  func body(_ embeddings: Variable, _ pass: ForwardPass) -> Variable {
    check(embeddings, pass)
    // [rows, hidden] from here on.
    var x = pass.embeddingDropout(embeddings)
    x = pass.tap(.embedding, x)
    for (index, block) in layers.blocks.enumerated() {
      x = pass.block(x) { block($0, $1) }
      x = pass.tap(.block(index), x)
    }
    return layers.norm(x, on: pass.tape)
  }
}
