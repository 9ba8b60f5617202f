import JSON

/// A family of models: what `config.json` calls it, and how a model of it is read, made and saved.
public struct ModelFamily: Sendable {
  /// The `model_type` of its `config.json`.
  public let name: String
  /// The class of transformers with the language-model head, which a `config.json` that names none is saved with.
  public let architecture: String
  /// Whether the head is the token embedding where `tie_word_embeddings` is missing.
  let tiedByDefault: Bool
  /// What reads its `config.json`; several families may share one.
  let blueprint: any ModelBlueprint.Type

  /// Every family there is; each stands in the file of its blueprint.
  public static let all: [ModelFamily] = [.gpt2, .llama]
}

extension ModelFamily: Equatable, CustomStringConvertible {
  public static func == (a: ModelFamily, b: ModelFamily) -> Bool { a.name == b.name }

  public var description: String { name }
}

/// The blueprint of a `config.json`, by its `model_type`.
///
/// - Throws: a `Diagnostic` for a family Decant does not know, and what the family's own reading throws.
func blueprint(of config: JSONField) throws -> any ModelBlueprint {
  let named = try config.required("model_type")
  let name = try named.string()
  guard let family = ModelFamily.all.first(where: { $0.name == name }) else {
    let families = ModelFamily.all.map(\.name).joined(separator: ", ")
    throw named.diagnostic(
      "names the family '\(name)', which is not supported", remedy: "use a model of family \(families)")
  }
  try config.refuse("quantization_config", because: "quantised weights are not supported")
  try config.refuse("add_cross_attention", unless: false, because: "only decoder-only models are supported")
  try config.refuse("is_encoder_decoder", unless: false, because: "only decoder-only models are supported")
  return try family.blueprint.init(config, family)
}
