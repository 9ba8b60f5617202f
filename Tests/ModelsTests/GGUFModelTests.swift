import Files
import JSON
import Models
import SafeTensors
import Tensor
import TestSupport
import Testing

/// A tiny model in a GGUF file and what transformers computes with it; made by `scripts/golden/gguf_models.py`.
struct GGUFCase: Sendable, CustomTestStringConvertible {
  let name: String
  var testDescription: String { name }
  var path: String { "\(GoldenCase.folder)/gguf/\(name).gguf" }

  static let all = [
    "llama", "llama-quantised", "llama-biases-llama3", "llama-linear", "gpt2", "gpt2-quantised", "qwen2", "qwen3",
    "gemma2", "gemma3", "phi3", "phi3-longrope", "gptneox", "starcoder2", "granite", "smollm3",
  ].map(GGUFCase.init)

  func model(_ precision: Precision = .fp32) throws -> any CausalLanguageModel {
    try ModelStore.load(path, trainable: false, precision: precision).model
  }

  /// The sequences, and the logits of their positions one after the other.
  func expectation() throws -> (sequences: [[Int32]], logits: [Float]) {
    let file = try SafeTensorsFile(path: "\(GoldenCase.folder)/gguf/\(name).safetensors")
    let text = Array(try #require(file.metadata["sequences"]).utf8)
    let sequences = try JSONField(try JSONValue.parse(text)).elements().map { sequence in
      try sequence.elements().map { Int32(try $0.integer()) }
    }
    return (sequences, try file.floats("logits"))
  }
}

@Suite("Models of GGUF files beside transformers") struct GGUFModelTests {
  @Test("logits are within 1e-4", arguments: GGUFCase.all) func logits(_ golden: GGUFCase) throws {
    let (sequences, expected) = try golden.expectation()
    expectClose(CrossEntropy(try golden.model(), sequences).logits, expected, absolute: 1e-4)
  }

  @Test("saved, it is a folder of the same model, tokenizer and all", arguments: GGUFCase.all)
  func saved(_ golden: GGUFCase) throws {
    let folder = try TemporaryFolder()
    let loaded = try ModelStore.load(golden.path, trainable: false)
    try ModelStore.save(loaded.model, to: folder.path, companions: ModelStore.companions(in: golden.path))
    let again = try ModelStore.load(folder.path, trainable: false)
    #expect(again.fingerprint == loaded.fingerprint && again.directory == folder.path)
    #expect(again.model.configuration.eosTokenIDs == loaded.model.configuration.eosTokenIDs)
    #expect(try File.list(folder.path).contains("tokenizer.json"))
    let (sequences, _) = try golden.expectation()
    #expect(CrossEntropy(again.model, sequences).logits == CrossEntropy(loaded.model, sequences).logits)
  }

  @Test("in bf16 it is the model that its weights of fp32 give, rounded", arguments: GGUFCase.all)
  func bf16(_ golden: GGUFCase) throws {
    let rounded = try ModelStore.roundedToBF16(try golden.model())
    let loaded = try ModelStore.load(golden.path, trainable: false, precision: .bf16)
    let (sequences, _) = try golden.expectation()
    #expect(CrossEntropy(loaded.model, sequences).logits == CrossEntropy(rounded, sequences).logits)
    #expect(loaded.fingerprint == ModelStore.fingerprint(of: try golden.model()))
  }

  @Test("a folder that holds one GGUF file and no config.json is that file") func folder() throws {
    let golden = GGUFCase(name: "llama")
    let folder = try TemporaryFolder()
    let path = try folder.write(try File.read(golden.path), to: "any.gguf")
    #expect(try ModelStore.resolve(folder.path) == path)
    let loaded = try ModelStore.load(folder.path, trainable: false)
    let plain = ModelStore.fingerprint(of: try golden.model())
    #expect(loaded.directory == path && loaded.fingerprint == plain)
    _ = try folder.write(try File.read(golden.path), to: "other.gguf")
    expectDiagnostic(file: folder.path, saying: "2 GGUF files", "name one of them") {
      _ = try ModelStore.resolve(folder.path)
    }
    let absent = folder.file("absent.gguf")
    expectDiagnostic(file: absent, saying: "there is no such file") { _ = try ModelStore.resolve(absent) }
  }

  @Test("every family that llama.cpp has is among the cases") func families() throws {
    let tested = try Set(GGUFCase.all.map { try $0.model().configuration.family.name })
    // Mistral's models are llama there, and OPT is not known to it.
    #expect(tested == Set(ModelFamily.all.map(\.name)).subtracting(["mistral", "opt"]))
  }

  @Test("a window of 0 is none") func window() throws {
    var bytes = try File.read(GGUFCase(name: "phi3").path)
    let key = Array("phi3.attention.sliding_window".utf8)
    // A number of 32 bits follows its type.
    let value = try #require(bytes.firstRange(of: key)).upperBound + 4
    #expect(bytes[value] == 5)
    bytes[value] = 0
    let folder = try TemporaryFolder()
    let model = try ModelStore.load(folder.write(bytes, to: "model.gguf"), trainable: false).model
    #expect(model.configuration.raw["sliding_window"] == .null)
  }

  @Test("the settings are those it was made from") func settings() throws {
    let configuration = try GGUFCase(name: "llama-biases-llama3").model().configuration
    let raw = configuration.raw
    #expect(raw["model_type"] == "llama" && raw["vocab_size"] == 64 && raw["rms_norm_eps"] == 1e-6)
    #expect(raw["attention_bias"] == true && raw["mlp_bias"] == true && raw["tie_word_embeddings"] == false)
    let expected: JSONValue = [
      "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192,
    ]
    #expect(raw["rope_scaling"] == expected && raw["rope_theta"] == 500_000.0)
    #expect(configuration.bosTokenID == 1 && configuration.eosTokenIDs == [2])
  }
}
