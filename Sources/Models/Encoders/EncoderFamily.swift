public import JSON
import NN
import Tensor

/// A family of encoders: what `config.json` calls it, and how a model of it is read, made and saved.
public struct EncoderFamily: Sendable {
  /// The `model_type` of its `config.json`.
  public let name: String
  /// The class of transformers without any head, which a model is saved as.
  public let architecture: String
  /// Reads its `config.json`.
  let blueprint: @Sendable (ConfigReader, EncoderFamily) throws -> any EncoderBlueprint

  /// Every family there is; each stands in a file of its own beside this one.
  public static let all: [EncoderFamily] = [.bert]
}

extension EncoderFamily: Equatable, CustomStringConvertible {
  public static func == (a: EncoderFamily, b: EncoderFamily) -> Bool { a.name == b.name }

  public var description: String { name }
}

/// The sizes that every encoder has, read from a `config.json`.
public struct EncoderConfiguration: Sendable, Equatable {
  public var family: EncoderFamily
  /// Rows of the token embedding.
  public var vocabularySize: Int
  /// The longest sequence the model takes, in tokens.
  public var contextLength: Int
  public var hiddenSize: Int
  public var layerCount: Int
  public var headCount: Int
  /// Columns between the two halves of a feed-forward layer.
  public var innerSize: Int
  /// Whether there is a pooler: a layer over the hidden state of the first token.
  public var hasPooler: Bool
  /// The whole `config.json`, with what Decant does not use too.
  public var raw: JSONObject
}

/// An encoder as read from a `config.json`: sizes, the names of a checkpoint, and how the model is built.
protocol EncoderBlueprint: CheckpointBlueprint {
  var configuration: EncoderConfiguration { get set }
  /// Beginning of the names of the pooler's parameters.
  var poolerKeys: String { get }
  /// The model's layers, in checkpoint order, each parameter under the name transformers saves it by.
  func layers(_ scope: ParameterScope) -> EncoderLayers
}

extension EncoderBlueprint {
  var specifications: [ParameterSpecification] { ParameterScope.declarations { _ = layers($0) } }
  var isTied: Bool { false }
}

/// The blueprint of an encoder's `config.json`, by its `model_type`.
///
/// - Throws: a `Diagnostic` for a family that is no encoder's that Decant knows, for a key that changes what a model
///   computes and that the family does not read, and what the family's own reading throws.
func encoderBlueprint(of config: JSONField) throws -> any EncoderBlueprint {
  let reader = ConfigReader(config)
  let named = try reader.required("model_type")
  let name = try named.string()
  let families = EncoderFamily.all.map(\.name).joined(separator: ", ")
  guard let family = EncoderFamily.all.first(where: { $0.name == name }) else {
    let isDecoder = ModelFamily.all.contains { $0.name == name }
    throw named.diagnostic(
      isDecoder
        ? "names '\(name)', a family of causal language models, where an encoder is asked for"
        : "names the family '\(name)', which is not supported", remedy: "use an encoder of family \(families)")
  }
  try reader.refuse("is_decoder", unless: false, because: "the model is a decoder in an encoder's clothes")
  try reader.refuseOtherKinds(because: "only encoders by themselves are supported")
  let blueprint = try family.blueprint(reader, family)
  try reader.refuseUnread(by: "the family \(name)")
  return blueprint
}
