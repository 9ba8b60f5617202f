import Diagnostics
import JSON
import NN
import Tensor

/// A model as read from a `config.json`: sizes, the names of a checkpoint, and how the model is built.
protocol ModelBlueprint: CheckpointBlueprint {
  var configuration: ModelConfiguration { get set }
  /// What `config.json` may say by layer, spelled out, for models that take some of the layers: empty where all layers
  /// are alike.
  var layerLists: [(key: String, values: [JSONValue])] { get }
  /// Parts of the names of what makes queries, each with that of what makes keys in the same way; nil where one projection makes
  /// both.
  var queryAndKey: [(query: String, key: String)]? { get }
  /// The names of layers that are used twice; nil where each place has a layer of its own.
  var sharing: SharedNames? { get }
  /// The model's layers, in checkpoint order, each parameter under the name transformers saves it by.
  func layers(_ scope: ParameterScope) -> DecoderLayers
}

extension ModelBlueprint {
  var layerLists: [(key: String, values: [JSONValue])] { [] }
  var queryAndKey: [(query: String, key: String)]? { nil }
  var sharing: SharedNames? { nil }
  var isTied: Bool { configuration.tied }
  var specifications: [ParameterSpecification] { ParameterScope.declarations { _ = layers($0) } }

  /// The model over a buffer made from ``specifications``; gradients must have been allocated before.
  func build(_ parameters: ParameterBuffer) -> any CausalLanguageModel {
    Decoder(configuration, layers(ParameterScope(parameters)), parameters, shared: sharing)
  }
}
