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
    "llama-llama3-biases-shards",
  ].map(GoldenCase.init)

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
