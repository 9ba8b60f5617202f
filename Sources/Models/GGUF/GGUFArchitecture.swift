import Diagnostics
import GGUF
import JSON

/// What llama.cpp calls a family of models, how its metadata becomes a `config.json`, and what its tensors are called.
struct GGUFArchitecture: Sendable {
  /// `general.architecture`.
  let name: String
  /// The members of the `config.json` that are the family's own, `model_type` among them.
  let configuration: @Sendable (GGUFHyperparameters) throws -> JSONObject
  let tensors: GGUFTensorNames

  /// Every architecture there is. Mistral's models and SmolLM2 are llama here.
  static let all: [GGUFArchitecture] = [
    .init(name: "llama", configuration: llama, tensors: .llama(turned: true)),
    .init(name: "granite", configuration: granite, tensors: .llama(turned: true)),
    .init(name: "smollm3", configuration: smolLM3, tensors: .llama(turned: true)),
    .init(name: "qwen2", configuration: qwen2, tensors: .llama(turned: false)),
    .init(name: "qwen3", configuration: qwen3, tensors: .llama(turned: false)),
    .init(name: "gemma2", configuration: gemma2, tensors: .gemma),
    .init(name: "gemma3", configuration: gemma3, tensors: .gemma),
    .init(name: "phi3", configuration: phi3, tensors: .phi3),
    .init(name: "starcoder2", configuration: starCoder2, tensors: .starCoder2),
    .init(name: "gpt2", configuration: gpt2, tensors: .gpt2),
    .init(name: "gptneox", configuration: gptNeoX, tensors: .gptNeoX),
  ]

  /// The architecture of a file.
  ///
  /// - Throws: a `Diagnostic` for one that is not supported, and for a file that holds no whole model.
  static func of(_ file: GGUFFile) throws -> GGUFArchitecture {
    let key = "general.architecture"
    if let type = try file.metadata.text("general.type"), type != "model" {
      throw file.metadata.diagnostic(
        "general.type", "is \(type), but must be model", remedy: "name the file of a model")
    }
    if let parts = try file.metadata.integer("split.count"), parts > 1 {
      throw file.metadata.diagnostic(
        "split.count", "says that the model is split into \(parts) files",
        remedy: "put them together with `llama-gguf-split --merge`")
    }
    guard let name = try file.metadata.text(key) else { throw file.metadata.diagnostic(key, "is missing") }
    guard let architecture = all.first(where: { $0.name == name }) else {
      throw file.metadata.diagnostic(
        key, "is \(name), which is not supported", remedy: "use a model of \(all.map(\.name).joined(separator: ", "))")
    }
    return architecture
  }
}

// MARK: What several families share

extension GGUFHyperparameters {
  /// The members that transformers calls the same in every family since Llama.
  ///
  /// - Parameter rms: Whether norms are RMS norms; else layer norms.
  func common(modelType: String, rms: Bool = true) throws -> JSONObject {
    let heads = try size("attention.head_count")
    var config: JSONObject = [
      "model_type": .string(modelType),
      "hidden_size": JSONValue(try size("embedding_length")),
      "intermediate_size": JSONValue(try size("feed_forward_length")),
      "num_hidden_layers": JSONValue(try size("block_count", atMost: SizeLimits.layers)),
      "num_attention_heads": JSONValue(heads),
      "num_key_value_heads": JSONValue(try optionalSize("attention.head_count_kv") ?? heads),
      "max_position_embeddings": JSONValue(try size("context_length")),
    ]
    if rms { config["rms_norm_eps"] = .double(try requiredNumber("attention.layer_norm_rms_epsilon")) }
    return config
  }

  /// Columns of a head: `attention.key_length`, which must be those of its values too, else the model's over its heads.
  func headDimension() throws -> Int {
    let keys = try optionalSize("attention.key_length")
    let values = try optionalSize("attention.value_length")
    let (width, heads) = (try size("embedding_length"), try size("attention.head_count"))
    guard keys != nil || width % heads == 0 else {
      throw diagnostic("embedding_length", "is \(width), which is not a multiple of the \(heads) heads")
    }
    let dimension = keys ?? width / heads
    if let values, values != dimension {
      throw diagnostic(
        "attention.value_length", "is \(values), but keys have \(dimension) columns",
        remedy: "use a model whose keys and values are of one size")
    }
    return dimension
  }

  /// The share of a head that is rotated, nil for all of it.
  func rotatedShare(of headDimension: Int) throws -> Double? {
    guard let rotated = try optionalSize("rope.dimension_count"), rotated != headDimension else { return nil }
    guard rotated < headDimension else {
      throw diagnostic("rope.dimension_count", "is \(rotated), but a head has \(headDimension) columns")
    }
    return Double(rotated) / Double(headDimension)
  }

  /// Adds `head_dim`, `rope_theta`, `partial_rotary_factor` and `rope_scaling`.
  func addRotary(to config: inout JSONObject) throws {
    let dimension = try headDimension()
    config["head_dim"] = JSONValue(dimension)
    config["rope_theta"] = .double(try number("rope.freq_base") ?? 10_000)
    config["partial_rotary_factor"] = try rotatedShare(of: dimension).map { .double($0) }
    config["rope_scaling"] = try ropeScaling(headDimension: dimension, theta: config["rope_theta"]?.doubleValue ?? 0)
  }

  /// Whether a tensor is there, as biases are or are not.
  func has(_ tensor: String) -> Bool { file.tensors[tensor] != nil }
}
