import Fingerprints
import JSON
import Files
import Models
import SafeTensors
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing

/// Losses over embeddings as PyTorch computes them in float64; made by `scripts/golden/embeddings.py`.
struct EmbeddingGolden {
  private static let folder = "\(SharedData.packageRoot)/Tests"
  private let numbers: JSONValue
  private let gradients: SafeTensorsFile

  init() throws {
    let path = "\(Self.folder)/MethodsTests/Golden/embeddings"
    numbers = try JSONValue.parse(try File.read("\(path).json"))
    gradients = try SafeTensorsFile(path: "\(path).safetensors")
  }

  subscript(_ key: String) -> JSONValue { numbers[key] ?? .null }

  /// One of the two models: `student`, or `teacher`.
  func model(_ role: String) throws -> any CausalLanguageModel {
    try ModelStore.load("\(Self.folder)/ModelsTests/Golden/\(try #require(self[role].stringValue))", trainable: true)
      .model
  }

  func teacher() throws -> LiveTeacher {
    let model = try model("teacher")
    return LiveTeacher(
      model,
      identity: TeacherIdentity(
        model: Fingerprint(of: "teacher"), numerics: Numerics(precision: "fp32", kernels: Engine.variant),
        tokenizer: Fingerprint(of: "tokenizer"), vocabularySize: model.configuration.vocabularySize, place: "here"))
  }

  var sequences: [TokenSequence] {
    (self["sequences"].arrayValue ?? []).map { sequence in
      TokenSequence(
        tokenIDs: (sequence["tokens"]?.arrayValue ?? []).map { Int32($0.intValue ?? 0) },
        promptLength: sequence["prompt"]?.intValue ?? 0)
    }
  }

  /// A loss's gradient of each of the student's parameters, with what a step has added up.
  func gradients(of loss: String, _ student: any CausalLanguageModel) throws -> [(
    name: String, expected: [Float], found: [Float]
  )] {
    try student.parameters.parameters.map {
      ($0.name, try gradients.floats("\(loss).\($0.name)"), try #require($0.gradient).array())
    }
  }
}
