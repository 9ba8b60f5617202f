import Files
import JSON
import Models
import SafeTensors
import Tensor
import TestSupport
import Testing

/// Tensors to be written to a checkpoint of a test's own.
struct CheckpointDraft {
  var tensors: [(name: String, shape: [Int], values: [Float])] = []

  init(_ golden: GoldenCase) throws {
    let model = try golden.model()
    for parameter in model.parameters.parameters {
      tensors.append((parameter.name, parameter.shape, parameter.value.array()))
    }
  }

  subscript(name: String) -> [Float] {
    get { tensors.first { $0.name == name }!.values }
    set { tensors[tensors.firstIndex { $0.name == name }!].values = newValue }
  }

  mutating func rename(_ change: (String) -> String) {
    for index in tensors.indices { tensors[index].name = change(tensors[index].name) }
  }

  /// Writes a model folder with these tensors and the golden case's configuration.
  func write(_ golden: GoldenCase, to folder: TemporaryFolder) throws {
    try File.write(try File.read("\(golden.directory)/config.json"), to: folder.file("config.json"))
    unsafe try write(tensors[...], before: [], to: folder.file("model.safetensors"))
  }

  private func write(
    _ rest: ArraySlice<(name: String, shape: [Int], values: [Float])>,
    before: [(name: String, shape: [Int], type: ElementType, bytes: UnsafeRawBufferPointer)], to path: String
  ) throws {
    guard let first = rest.first else { return try unsafe SafeTensorsWriter.write(to: path, tensors: before) }
    try unsafe first.values.withUnsafeBytes { bytes in
      try unsafe write(rest.dropFirst(), before: before + [(first.name, first.shape, .float32, bytes)], to: path)
    }
  }
}

@Suite("Loading weights")
struct WeightLoadingTests {
  /// Loads a model from a damaged copy of a golden case.
  static func load(_ golden: String, _ damage: (inout CheckpointDraft) -> Void) throws -> LoadedModel {
    let folder = try TemporaryFolder()
    let golden = GoldenCase(name: golden)
    var draft = try CheckpointDraft(golden)
    damage(&draft)
    try draft.write(golden, to: folder)
    return try ModelStore.load(folder.path, trainable: false)
  }

  @Test(
    "names without the body's prefix, and old buffers, are accepted",
    arguments: [
      ("gpt2-untied-relu", "transformer.", "h.0.attn.bias"), ("gpt2-tied", "transformer.", "h.1.attn.masked_bias"),
      ("llama-tied", "model.", "layers.1.self_attn.rotary_emb.inv_freq"),
    ])
  func prefixes(_ name: String, _ prefix: String, _ buffer: String) throws {
    let golden = GoldenCase(name: name)
    let loaded = try Self.load(name) { draft in
      draft.rename { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0 }
      draft.tensors.append((buffer, [2], [1, .infinity]))
    }
    let logits = CrossEntropy(loaded.model, try golden.sequences()).logits
    expectClose(logits, try golden.expectedTensor("logits"), absolute: 1e-4)
  }

  @Test("a tied model may be stored under its head's name alone", arguments: ["llama-tied", "gpt2-tied"])
  func headAlone(_ name: String) throws {
    let golden = GoldenCase(name: name)
    for isBare in [false, true] {
      let loaded = try Self.load(name) { draft in
        draft.rename { $0.hasSuffix("embed_tokens.weight") || $0.hasSuffix("wte.weight") ? "lm_head.weight" : $0 }
        if isBare { draft.rename { $0.replacing(/^(model|transformer)\./, with: "") } }
      }
      let logits = CrossEntropy(loaded.model, try golden.sequences()).logits
      expectClose(logits, try golden.expectedTensor("logits"), absolute: 1e-4)
      #expect(loaded.fingerprint == ModelStore.fingerprint(of: try golden.model()))
    }
  }

  @Test(
    "what torch.compile and data-parallel training put before names is passed over",
    arguments: ["_orig_mod.", "module.", "module._orig_mod."])
  func wrappers(_ wrapper: String) throws {
    let golden = GoldenCase(name: "llama-tied")
    let loaded = try Self.load("llama-tied") { draft in draft.rename { wrapper + $0 } }
    #expect(loaded.fingerprint == ModelStore.fingerprint(of: try golden.model()))
    expectDiagnostic(field: "model.norm.weight", saying: "lack") {
      _ = try Self.load("llama-tied") { draft in draft.rename { $0 == "model.norm.weight" ? wrapper + $0 : $0 } }
    }
  }

  @Test("a model whose head is missing says how it would be tied")
  func missingHead() throws {
    expectDiagnostic(field: "lm_head.weight", saying: "tie_word_embeddings to true") {
      _ = try Self.load("gpt2-untied-relu") { $0.tensors.removeAll { $0.name == "lm_head.weight" } }
    }
  }

  @Test("a missing tensor is named")
  func missing() throws {
    expectDiagnostic(field: "transformer.h.1.mlp.c_fc.bias", saying: "lack", "[64]") {
      _ = try Self.load("gpt2-tied") { $0.tensors.removeAll { $0.name == "transformer.h.1.mlp.c_fc.bias" } }
    }
  }

  @Test("a tensor of another shape is named with both shapes")
  func shape() throws {
    expectDiagnostic(field: "model.norm.weight", saying: "[15]", "[16]") {
      _ = try Self.load("llama-tied") { draft in
        draft.tensors.removeAll { $0.name == "model.norm.weight" }
        draft.tensors.append(("model.norm.weight", [15], [Float](repeating: 1, count: 15)))
      }
    }
  }

  @Test("a tensor that nothing uses is refused")
  func unexpected() throws {
    expectDiagnostic(field: "model.layers.2.mlp.up_proj.weight", saying: "1 tensor", "no use") {
      _ = try Self.load("llama-tied") { $0.tensors.append(("model.layers.2.mlp.up_proj.weight", [1], [0])) }
    }
  }

  @Test("a weight that is not finite is named with its place", arguments: [Float.nan, .infinity, -.infinity])
  func nonFinite(_ value: Float) throws {
    expectDiagnostic(field: "transformer.wte.weight", saying: "\(value)", "[39, 3]") {
      _ = try Self.load("gpt2-tied") { draft in
        for index in [39 * 16 + 3, 39 * 16 + 9] { draft["transformer.wte.weight"][index] = value }
      }
    }
  }

  @Test("a tied head may be there only as the embedding itself")
  func tiedHead() throws {
    _ = try Self.load("llama-tied") {
      $0.tensors.append(("lm_head.weight", [40, 16], $0["model.embed_tokens.weight"]))
    }
    expectDiagnostic(field: "lm_head.weight", saying: "tie_word_embeddings") {
      _ = try Self.load("llama-tied") { draft in
        draft.tensors.append(("lm_head.weight", [40, 16], draft["model.embed_tokens.weight"].map { $0 + 1 }))
      }
    }
  }

  @Test("the eos ids of generation_config.json win")
  func generationConfiguration() throws {
    let folder = try TemporaryFolder()
    let golden = GoldenCase(name: "llama-tied")
    try CheckpointDraft(golden).write(golden, to: folder)
    _ = try folder.write(#"{"eos_token_id": [7, 8]}"#, to: "generation_config.json")
    #expect(try ModelStore.load(folder.path, trainable: false).model.configuration.eosTokenIDs == [7, 8])
    _ = try folder.write(#"{"eos_token_id": null}"#, to: "generation_config.json")
    #expect(try ModelStore.load(folder.path, trainable: false).model.configuration.eosTokenIDs == [2])
  }

  @Test("an id that ends a text must be in the vocabulary in generation_config.json too")
  func generationConfigurationBeyond() throws {
    let folder = try TemporaryFolder()
    let golden = GoldenCase(name: "llama-tied")
    try CheckpointDraft(golden).write(golden, to: folder)
    let path = try folder.write(#"{"eos_token_id": [2, 40]}"#, to: "generation_config.json")
    expectDiagnostic(file: path, field: "eos_token_id[1]", saying: "is 40", "40 tokens") {
      _ = try ModelStore.load(folder.path, trainable: false)
    }
  }

  @Test("more layers than any model has are refused with the file")
  func layers() throws {
    let folder = try TemporaryFolder()
    let golden = GoldenCase(name: "llama-tied")
    try CheckpointDraft(golden).write(golden, to: folder)
    var configuration = try golden.configuration()
    for count in [16_385, 1 << 26] {
      configuration["num_hidden_layers"] = JSONValue(count)
      let path = try folder.write(JSONValue.object(configuration).serialized(), to: "config.json")
      expectDiagnostic(file: path, field: "num_hidden_layers", saying: "at most 16384") {
        _ = try ModelStore.load(folder.path, trainable: false)
      }
    }
    configuration["num_hidden_layers"] = 16_384
    _ = try folder.write(JSONValue.object(configuration).serialized(), to: "config.json")
    expectDiagnostic(field: "model.layers.2.input_layernorm.weight", saying: "lack") {
      _ = try ModelStore.load(folder.path, trainable: false)
    }
  }

  @Test("a folder without safetensors says what it lacks")
  func noWeights() throws {
    let folder = try TemporaryFolder()
    let golden = GoldenCase(name: "llama-tied")
    expectDiagnostic(file: folder.file("config.json"), saying: "no such file") {
      _ = try ModelStore.load(folder.path, trainable: false)
    }
    try File.write(try File.read("\(golden.directory)/config.json"), to: folder.file("config.json"))
    expectDiagnostic(file: folder.path, saying: "neither model.safetensors") {
      _ = try ModelStore.load(folder.path, trainable: false)
    }
    _ = try folder.write("pickle", to: "pytorch_model.bin")
    expectDiagnostic(file: folder.path, saying: "pytorch_model.bin", "save_pretrained") {
      _ = try ModelStore.load(folder.path, trainable: false)
    }
  }
}
