import Diagnostics
import GGUF

/// What the metadata of a GGUF file says of its model, under the keys of its architecture: `llama.block_count` is the
/// `block_count` of an architecture `llama`. Each key that is asked for counts as understood, and in the end there must be
/// no other: what is not understood could change what the model computes.
final class GGUFHyperparameters {
  let file: GGUFFile
  let architecture: String
  private var understood: Set<String> = []

  init(_ file: GGUFFile, architecture: String) {
    self.file = file
    self.architecture = architecture
  }

  /// A size from 1, nil where the key is missing. Where there is one for each layer, they must all be the same.
  func optionalSize(_ key: String, atMost limit: Int = SizeLimits.size) throws -> Int? {
    let key = full(key)
    guard case .array = file.metadata[key] else { return try file.metadata.integer(key, in: 1...limit) }
    let sizes = try file.metadata.array(key, of: .integers)?.integers() ?? []
    guard let first = sizes.first, sizes.allSatisfy({ $0 == first }), (1...limit).contains(first) else {
      throw file.metadata.diagnostic(
        key, "differs from layer to layer, which is not supported", remedy: "use a model whose layers are alike")
    }
    return first
  }

  /// As ``optionalSize(_:atMost:)`` where the key must be there.
  func size(_ key: String, atMost limit: Int = SizeLimits.size) throws -> Int {
    if let size = try optionalSize(key, atMost: limit) { return size }
    throw file.metadata.diagnostic(full(key), "is missing", remedy: "convert the model again with a current llama.cpp")
  }

  /// A number, nil where the key is missing.
  func number(_ key: String) throws -> Double? { try file.metadata.number(full(key)) }

  /// A number where the key must be there.
  func requiredNumber(_ key: String) throws -> Double {
    if let number = try number(key) { return number }
    throw file.metadata.diagnostic(full(key), "is missing", remedy: "convert the model again with a current llama.cpp")
  }

  /// A truth value, nil where the key is missing.
  func flag(_ key: String) throws -> Bool? { try file.metadata.flag(full(key)) }

  /// A text, nil where the key is missing.
  func text(_ key: String) throws -> String? { try file.metadata.text(full(key)) }

  /// An array of truth values, nil where the key is missing.
  func flags(_ key: String) throws -> [Bool]? { try file.metadata.array(full(key), of: .flags)?.flags() }

  /// Whether the value under a key is an array.
  func isArray(_ key: String) -> Bool {
    if case .array = file.metadata[full(key)] { true } else { false }
  }

  /// A diagnostic at a key of the architecture.
  func diagnostic(_ key: String, _ message: String, remedy: String? = nil) -> Diagnostic {
    file.metadata.diagnostic("\(architecture).\(key)", message, remedy: remedy)
  }

  /// Refuses a model with what no model here has, and with keys that nothing asked for.
  ///
  /// - Throws: a `Diagnostic` that names the key.
  func refuseRest() throws {
    for key in ["expert_count", "expert_used_count"] where try file.metadata.integer(full(key)) ?? 0 > 0 {
      throw diagnostic(key, "makes this a mixture of experts, which is not supported", remedy: "use a dense model")
    }
    // How the file came about, not what it means.
    for key in ["rope.scaling.finetuned", "tensor_data_layout", "vocab_size"] { understood.insert(full(key)) }
    if try flag("attention.causal") == false {
      throw diagnostic("attention.causal", "is false, but only models that read from left to right are supported")
    }
    for key in file.metadata.keys where key.hasPrefix("\(architecture).") && !understood.contains(key) {
      throw file.metadata.diagnostic(
        key, "is not understood, and may change what the model computes",
        remedy: "load the model in transformers and save it with save_pretrained")
    }
  }

  private func full(_ key: String) -> String {
    let key = "\(architecture).\(key)"
    understood.insert(key)
    return key
  }
}
