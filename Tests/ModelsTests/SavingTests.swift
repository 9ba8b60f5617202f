import Files
import Fingerprints
import JSON
import Models
import NN
import RandomStreams
import SafeTensors
import Tensor
import TestSupport
import Testing

@Suite("Saved models")
struct SavingTests {
  @Test("a saved model loads with the same bits, tensors and configuration", arguments: GoldenCase.all)
  func roundTrip(_ golden: GoldenCase) throws {
    let folder = try TemporaryFolder()
    let model = try golden.model()
    try ModelStore.save(model, to: folder.file("saved"), extraFiles: ["\(golden.directory)/expected.json"])
    let loaded = try ModelStore.load(folder.file("saved"), trainable: false)
    for parameter in model.parameters.parameters {
      #expect(loaded.model.parameters[parameter.name].value.array() == parameter.value.array(), "\(parameter.name)")
    }
    let weights = try SafeTensorsFile(path: folder.file("saved/model.safetensors"))
    #expect(weights.metadata == ["format": "pt"])
    let original = try SafeTensorsCheckpoint(directory: golden.directory)
    #expect(weights.tensors.mapValues(\.shape) == original.tensors.mapValues(\.shape))
    var expected = try golden.configuration()
    expected["dtype"] = "float32"
    #expect(loaded.model.configuration.raw == expected)
    #expect(loaded.model.configuration.eosTokenIDs == model.configuration.eosTokenIDs)
    #expect(try File.read(folder.file("saved/expected.json")) == File.read("\(golden.directory)/expected.json"))
  }

  @Test("a saved model's files name what ends its texts, and keep whatever else they say")
  func endOfText() throws {
    let folder = try TemporaryFolder()
    let model = try GoldenCase(name: "llama-tied").model()
    let before = model.configuration.raw
    let files = try [
      ("generation_config.json", #"{"temperature":0.6,"eos_token_id":[9,8],"pad_token_id":0}"#),
      ("tokenizer_config.json", #"{"eos_token":{"content":"</s>"},"model_max_length":7}"#),
      ("special_tokens_map.json", #"{"bos_token":"<s>"}"#),
    ].map { name, text in try folder.write(text, to: name) }
    model.configuration.name(ends: model.configuration.eosTokenIDs)
    #expect(model.configuration.raw == before, "what is named already is left alone")
    model.configuration.name(ends: [5, 2, 1 << 20])
    model.configuration.suppressedTokenIDs = [3]
    let saved = folder.file("saved")
    try ModelStore.save(model, to: saved, extraFiles: files, endToken: "<|im_end|>")
    let generation = try JSONValue.parse(File.read("\(saved)/generation_config.json"))
    let expected: JSONValue = ["temperature": 0.6, "eos_token_id": [5, 2], "pad_token_id": 0, "suppress_tokens": [3]]
    #expect(generation == expected)
    #expect(try JSONValue.parse(File.read("\(saved)/config.json"))["eos_token_id"] == [5, 2])
    let tokenizer = try JSONValue.parse(File.read("\(saved)/tokenizer_config.json"))
    #expect(tokenizer == ["eos_token": "<|im_end|>", "model_max_length": 7])
    #expect(try File.read("\(saved)/special_tokens_map.json") == File.read(files[2]))
    let loaded = try ModelStore.load(saved, trainable: false).model
    #expect(loaded.configuration == model.configuration)
    // What says the same already is copied to the byte.
    try ModelStore.save(loaded, to: folder.file("again"), extraFiles: ["\(saved)/generation_config.json", files[1]])
    #expect(try File.read(folder.file("again/generation_config.json")) == File.read("\(saved)/generation_config.json"))
    #expect(try File.read(folder.file("again/tokenizer_config.json")) == File.read(files[1]))
  }

  @Test("generation settings of a larger model are put right, not refused", arguments: [true, false])
  func largerModel(namesEnds: Bool) throws {
    let folder = try TemporaryFolder()
    let model = try GoldenCase(name: "llama-tied").model()
    model.configuration.eosTokenIDs = namesEnds ? [2] : []
    let file = try folder.write(
      #"{"top_p":0.9,"eos_token_id":[100000,2],"suppress_tokens":[100000]}"#, to: "generation_config.json")
    try ModelStore.save(model, to: folder.file("saved"), extraFiles: [file])
    let saved = try JSONValue.parse(File.read(folder.file("saved/generation_config.json")))
    #expect(saved["eos_token_id"] == (namesEnds ? 2 : .null) && saved["top_p"] == 0.9)
    _ = try ModelStore.load(folder.file("saved"), trainable: false)
  }

  @Test("a student's own generation settings are kept before those beside its tokenizer")
  func companions() throws {
    let folder = try TemporaryFolder()
    let (base, other) = (folder.file("base"), folder.file("other"))
    for path in [base, other] {
      try File.makeFolder(path)
      try File.write(Array("{}".utf8), to: "\(path)/generation_config.json")
      try File.write(Array("{}".utf8), to: "\(path)/tokenizer.json")
    }
    let both = ModelStore.companionFiles(in: other, base: base)
    #expect(both == ["\(other)/tokenizer.json", "\(base)/generation_config.json"])
    try File.remove("\(base)/generation_config.json")
    #expect(ModelStore.companionFiles(in: other, base: base) == ModelStore.companionFiles(in: other))
  }

  @Test("a transformers 4 configuration keeps its own name for the stored type")
  func oldStoredType() throws {
    let folder = try TemporaryFolder()
    var raw = try GoldenCase(name: "gpt2-tied").configuration()
    raw["dtype"] = nil
    raw["torch_dtype"] = "bfloat16"
    raw["architectures"] = nil
    raw["task_specific_params"] = ["kept": [1, nil, 0.25]]
    var stream = RandomStream(seed: 1, name: "initialisation")
    try ModelStore.save(ModelStore.make(raw, stream: &stream, trainable: false), to: folder.path)
    let saved = try JSONValue.parse(try File.read(folder.file("config.json")))
    #expect(saved["torch_dtype"] == "float32" && saved["dtype"] == nil)
    #expect(saved["architectures"] == ["GPT2LMHeadModel"])
    #expect(saved["task_specific_params"] == ["kept": [1, nil, 0.25]])
  }

  /// For `scripts/golden/check_saved_model.py`: saves every golden model after a change to its weights, with the logits
  /// Decant computes from it, where `DECANT_SAVED_MODELS` names a folder.
  @Test(
    "saved models and their logits are exported for transformers to check",
    .enabled(if: environment("DECANT_SAVED_MODELS") != nil, "set DECANT_SAVED_MODELS to a folder to write to"),
    arguments: GoldenCase.all)
  func export(_ golden: GoldenCase) throws {
    let folder = "\(environment("DECANT_SAVED_MODELS")!)/\(golden.name)"
    let model = try golden.model()
    for parameter in model.parameters.parameters {
      parameter.value.copy(from: parameter.value.array().map { $0 * 1.25 + 0.01 })
    }
    try Self.export(model, of: golden, to: folder)
  }

  /// Saves a model with the logits that it gives for the sequences of a golden one.
  static func export(_ model: any CausalLanguageModel, of golden: GoldenCase, to folder: String) throws {
    let sequences = try golden.sequences()
    let logits = CrossEntropy(model, sequences).logits
    try ModelStore.save(model, to: folder)
    let export: JSONValue = [
      "sequences": .array(sequences.map { .array($0.map { JSONValue(Int($0)) }) }),
      "logits": .array(logits.map { .double(Double($0)) }),
    ]
    try File.write(export.serialized(), to: "\(folder)/decant_logits.json")
  }
}

@Suite("Fresh models and fingerprints")
struct FreshModelTests {
  static func make(_ golden: String, seed: UInt64 = 1) throws -> any CausalLanguageModel {
    var stream = RandomStream(seed: seed, name: "initialisation")
    return try ModelStore.make(GoldenCase(name: golden).configuration(), stream: &stream, trainable: false)
  }

  @Test("weights start as transformers starts them", arguments: ["gpt2-untied-relu", "llama-llama3-biases-shards"])
  func initialisation(_ golden: String) throws {
    let model = try Self.make(golden)
    for parameter in model.parameters.parameters {
      let values = parameter.value.array().map(Double.init)
      if parameter.shape.count == 1 {
        let expected: Double = parameter.name.hasSuffix(".bias") ? 0 : 1
        #expect(values.allSatisfy { $0 == expected }, "\(parameter.name)")
      } else {
        let residual = parameter.name.hasSuffix("c_proj.weight")
        let deviation = 0.2 / (residual ? 2.0 : 1.0)  // two layers: the square root of 2 * 2
        let mean = values.reduce(0, +) / Double(values.count)
        let measured = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
        // Five standard errors of both.
        expectClose(mean, 0, absolute: 5 * deviation / Double(values.count).squareRoot(), parameter.name)
        expectClose(
          measured, deviation, absolute: 5 * deviation / Double(2 * values.count).squareRoot(), parameter.name)
      }
    }
  }

  @Test("the seed decides the weights")
  func seed() throws {
    func fingerprint(_ seed: UInt64) throws -> String {
      ModelStore.fingerprint(of: try Self.make("llama-tied", seed: seed)).description
    }
    #expect(try fingerprint(1) == fingerprint(1))
    #expect(try fingerprint(1) != fingerprint(2))
  }

  @Test("a fingerprint follows weights and configuration, not how the files are cut")
  func fingerprint() throws {
    let golden = GoldenCase(name: "llama-llama3-biases-shards")
    let loaded = try ModelStore.load(golden.directory, trainable: false)
    let folder = try TemporaryFolder()
    try ModelStore.save(loaded.model, to: folder.path)
    #expect(try ModelStore.load(folder.path, trainable: false).fingerprint == loaded.fingerprint)
    let last = loaded.model.parameters.parameters.last!.value
    last.copy(from: last.array().map { $0 == last.array().last! ? $0.nextUp : $0 })
    #expect(ModelStore.fingerprint(of: loaded.model) != loaded.fingerprint)
  }

  @Test("a student of chosen layers has the teacher's weights there", arguments: ["gpt2-tied", "llama-untied-bf16"])
  func student(_ golden: String) throws {
    let teacher = try GoldenCase(name: golden).model()
    let student = try ModelStore.student(from: teacher, layers: [1], trainable: true)
    #expect(student.configuration.layerCount == 1)
    #expect(student.parameters.gradients != nil)
    for parameter in student.parameters.parameters {
      let source = parameter.name.replacing(".0.", with: ".1.")
      #expect(parameter.value.array() == teacher.parameters[source].value.array(), "\(parameter.name)")
    }
    let folder = try TemporaryFolder()
    try ModelStore.save(student, to: folder.path)
    #expect(try ModelStore.load(folder.path, trainable: false).fingerprint == ModelStore.fingerprint(of: student))
    expectDiagnostic(saying: "[0, 2]", "0 to 1") {
      _ = try ModelStore.student(from: teacher, layers: [0, 2], trainable: false)
    }
    expectDiagnostic(saying: "[]") { _ = try ModelStore.student(from: teacher, layers: [], trainable: false) }
  }

  @Test("dropout changes recording passes only, and moves its stream")
  func dropout() throws {
    let golden = GoldenCase(name: "gpt2-tied")
    let model = try golden.model(trainable: true)
    let sequences = try golden.sequences()
    let plain = CrossEntropy(model, sequences).logits
    model.dropout = Dropout(embedding: 0.1, residual: 0.3, stream: RandomStream(seed: 4, name: "dropout"))
    #expect(CrossEntropy(model, sequences).logits == plain)
    let first = CrossEntropy(model, sequences, training: true).logits
    let state = model.dropout!.stream
    let second = CrossEntropy(model, sequences, training: true).logits
    #expect(first != plain && second != first)
    model.dropout!.stream = state
    #expect(CrossEntropy(model, sequences, training: true).logits == second)
  }
}
