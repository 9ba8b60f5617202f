import Files
import JSON
import Models
import SafeTensors
import Tensor
import TestSupport
import Testing

/// A tiny model of transformers and what PyTorch computes with it; made by `scripts/golden/models.py`.
struct GoldenCase: Sendable, CustomTestStringConvertible {
  let name: String
  var testDescription: String { name }
  var directory: String { "\(Self.folder)/\(name)" }

  static let folder = "\(SharedData.packageRoot)/Tests/ModelsTests/Golden"
  static let all = [
    "gpt2-tied", "gpt2-untied-relu", "gpt2-gelu-unscaled", "llama-tied", "llama-untied-bf16", "llama-linear-f16",
    "llama-llama3-biases-shards", "llama-yarn", "llama-yarn-scales", "llama-dynamic", "mistral-tied-window",
    "mistral-untied", "qwen2-tied", "qwen2-untied-window", "qwen3-tied", "qwen3-untied-biases", "gemma2-tied",
    "gemma2-untied", "gemma3-tied", "gemma3-untied-capped", "gptneox-parallel", "gptneox-tied-sequential", "opt-tied",
    "opt-untied", "phi3-untied-window", "phi3-tied-longrope", "smollm3-tied", "smollm3-untied-window", "granite-tied",
    "granite-untied-biases", "starcoder2-tied-window", "starcoder2-untied",
  ].map(GoldenCase.init)

  /// Those whose keys, once rotated, stay right as a text grows: with a dynamic base they do not, in transformers either.
  static let growing = all.filter { $0.name != "llama-dynamic" }

  /// ReLU has kinks, across which a difference is no slope, and some losses are too bent for differences of fp32 numbers
  /// to tell it; the gradients of these are held against PyTorch's alone.
  static let smooth = all.filter { golden in
    !["gpt2-untied-relu", "opt-tied", "gemma3-tied", "gemma3-untied-capped", "smollm3-untied-window"]
      .contains(golden.name)
  }

  func model(trainable: Bool = false) throws -> any CausalLanguageModel {
    try ModelStore.load(directory, trainable: trainable).model
  }

  func model(training: ParameterSelection) throws -> any CausalLanguageModel {
    try ModelStore.load(directory, training: training).model
  }

  func json(_ file: String) throws -> JSONValue { try JSONValue.parse(try File.read("\(directory)/\(file)")) }

  func configuration() throws -> JSONObject { try json("config.json").objectValue! }

  func sequences() throws -> [[Int32]] {
    try json("expected.json")["sequences"]!.arrayValue!.map { $0.arrayValue!.map { Int32($0.intValue!) } }
  }

  func expectation(_ key: String) throws -> JSONValue { try json("expected.json")[key]! }

  func expectedTensor(_ name: String) throws -> [Float] {
    try SafeTensorsFile(path: "\(directory)/expected.safetensors").floats(name)
  }
}
