import Files
import Fingerprints
import JSON
import Models
import RandomStreams
import SafeTensors
import Tensor
import TestSupport
import Testing

/// A tiny encoder of transformers and what PyTorch computes with it; made by `scripts/golden/encoders.py`.
struct EncoderCase: Sendable, CustomTestStringConvertible {
  let golden: GoldenCase
  var testDescription: String { golden.name }
  var directory: String { golden.directory }

  static let all = ["bert-pooler", "bert-masked-lm"].map { EncoderCase(golden: GoldenCase(name: $0)) }

  func load(_ training: ParameterSelection = .none, precision: Precision = .fp32) throws -> EncoderModel {
    try ModelStore.loadEncoder(directory, training: training, precision: precision).model
  }

  /// Ways of pooling that the model has.
  func poolings(_ model: EncoderModel) -> [Pooling] {
    Pooling.allCases.filter { $0 != .pooler || model.configuration.hasPooler }
  }
}

@Suite("Encoders beside transformers")
struct EncoderTests {
  /// Hidden states of sequences packed one after the other, and a vector of each, by the names of the golden file.
  static func values(_ model: EncoderModel, _ sequences: [[Int32]], _ poolings: [Pooling]) -> [String: [Float]] {
    let tape = Tape(arena: Arena(), recording: false, precision: model.precision)
    let packing = Packing(lengths: sequences.map(\.count))
    let hidden = model.hiddenStates(Array(sequences.joined()), packing, on: tape)
    var values = ["hidden": hidden.value.array()]
    for pooling in poolings {
      values[pooling.rawValue] = model.pooled(hidden, packing, pooling, on: tape).value.array()
    }
    return values
  }

  @Test("hidden states and pooled vectors are within 1e-5", arguments: EncoderCase.all)
  func forward(_ encoder: EncoderCase) throws {
    let model = try encoder.load()
    let found = Self.values(model, try encoder.golden.sequences(), encoder.poolings(model))
    for (name, values) in found {
      expectClose(values, try encoder.golden.expectedTensor(name), absolute: 1e-5, name)
    }
    #expect(model.configuration.hasPooler == (encoder.golden.name == "bert-pooler"))
  }

  /// Gradients of the golden file's loss.
  private func gradients(_ encoder: EncoderCase, recomputing: Bool) throws -> [(Parameter, [Float])] {
    let model = try encoder.load(.all)
    model.recomputing = recomputing
    let sequences = try encoder.golden.sequences()
    let arena = Arena()
    let tape = Tape(arena: arena, recording: true)
    let packing = Packing(lengths: sequences.map(\.count))
    let hidden = model.hiddenStates(Array(sequences.joined()), packing, on: tape)
    var roots = [(name: "hidden", variable: hidden)]
    for pooling in [Pooling.mean, .pooler] where encoder.poolings(model).contains(pooling) {
      roots.append((pooling.rawValue, model.pooled(hidden, packing, pooling, on: tape)))
    }
    tape.backward(
      from: try roots.map { name, variable in
        let gradient = arena.tensor(variable.value.shape)
        gradient.copy(from: try encoder.golden.expectedTensor("weight.\(name)"))
        return (variable, gradient)
      })
    return try model.parameters.parameters.map { ($0, try #require($0.gradient).array()) }
  }

  @Test("every parameter's gradient is within 1e-4 of its largest element", arguments: EncoderCase.all)
  func gradients(_ encoder: EncoderCase) throws {
    for (parameter, gradient) in try gradients(encoder, recomputing: false) {
      let expected = try encoder.golden.expectedTensor("gradient.\(parameter.name)")
      let scale = Double(expected.map(\.magnitude).max()!)
      // A key bias moves no probability: its true gradient is zero, and what is left is rounding.
      expectClose(gradient, expected, absolute: max(1e-4 * scale, 1e-5), parameter.name)
    }
  }

  @Test("recomputing changes no bit of a gradient", arguments: EncoderCase.all)
  func recomputing(_ encoder: EncoderCase) throws {
    let (plain, again) = (
      try gradients(encoder, recomputing: false), try gradients(encoder, recomputing: true)
    )
    for (first, second) in zip(plain, again) { #expect(first.1 == second.1, "\(first.0.name)") }
  }

  @Test(
    "a text's vector has the same bits alone and among others", arguments: EncoderCase.all, [Precision.fp32, .bf16])
  func neighbours(_ encoder: EncoderCase, _ precision: Precision) throws {
    let model = try encoder.load(precision: precision)
    let sequences = try encoder.golden.sequences()
    let poolings = encoder.poolings(model), width = model.configuration.hiddenSize
    let packed = Self.values(model, sequences.reversed(), poolings)
    for (index, sequence) in sequences.reversed().enumerated() {
      let alone = Self.values(model, [sequence], poolings)
      for pooling in poolings.map(\.rawValue) {
        #expect(alone[pooling]! == Array(packed[pooling]![index * width..<(index + 1) * width]), "\(pooling)")
      }
    }
  }

  @Test("bf16 is near fp32", arguments: EncoderCase.all)
  func bf16(_ encoder: EncoderCase) throws {
    let model = try encoder.load(precision: .bf16)
    let sequences = try encoder.golden.sequences()
    let rounded = Self.values(model, sequences, [.mean])["mean"]!
    expectClose(rounded, try encoder.golden.expectedTensor("mean"), absolute: 0.06)
    #expect(rounded != Self.values(try encoder.load(), sequences, [.mean])["mean"]!)
  }

  @Test("what belongs to another task is left out, with a word", arguments: EncoderCase.all)
  func heads(_ encoder: EncoderCase) throws {
    let loaded = try ModelStore.loadEncoder(encoder.directory, training: .none)
    guard encoder.golden.name == "bert-masked-lm" else { return #expect(loaded.notice == nil) }
    #expect(loaded.leftOut.count == 5 && loaded.leftOut.allSatisfy { $0.hasPrefix("cls.predictions") })
    #expect(loaded.notice?.contains("5 tensors such as cls.predictions.bias left out") == true)
  }

  @Test("a student of chosen layers has theirs, and all that stands around them", arguments: EncoderCase.all)
  func layers(_ encoder: EncoderCase) throws {
    let teacher = try encoder.load()
    let student = try ModelStore.student(from: teacher, layers: [1, 0, 1], training: .all)
    #expect(student.configuration.layerCount == 3)
    #expect(student.configuration.hasPooler == teacher.configuration.hasPooler)
    func values(_ model: EncoderModel, _ name: String) -> [Float] { model.parameters[name].value.array() }
    for parameter in student.parameters.parameters {
      let parts = parameter.name.split(separator: ".")
      let layer = parts.starts(with: ["encoder", "layer"]) ? Int(parts[2]) : nil
      let source = layer.map { "encoder.layer.\([1, 0, 1][$0])." + parts.dropFirst(3).joined(separator: ".") }
      #expect(values(student, parameter.name) == values(teacher, source ?? parameter.name), "\(parameter.name)")
    }
    #expect(
      values(student, "encoder.layer.1.output.dense.weight") != values(student, "encoder.layer.2.output.dense.weight"))
    expectDiagnostic(saying: "layers [2] cannot be taken from a teacher of 2") {
      _ = try ModelStore.student(from: teacher, layers: [2], training: .none)
    }
  }

  @Test("a saved encoder loads with the same bits and fingerprint, as the family's class", arguments: EncoderCase.all)
  func saving(_ encoder: EncoderCase) throws {
    let folder = try TemporaryFolder()
    let loaded = try ModelStore.loadEncoder(encoder.directory, training: .none)
    try ModelStore.save(loaded.model, to: folder.path, extraFiles: ["\(encoder.directory)/expected.json"])
    let again = try ModelStore.loadEncoder(folder.path, training: .none)
    #expect(
      again.fingerprint == loaded.fingerprint && ModelStore.fingerprint(ofEncoder: again.model) == again.fingerprint)
    #expect(again.model.parameters.values.array() == loaded.model.parameters.values.array())
    #expect(again.leftOut == [])
    var expected = try encoder.golden.configuration()
    expected["architectures"] = ["BertModel"]
    #expect(again.model.configuration.raw == expected)
    // Names and order of transformers.
    let names = try SafeTensorsFile(path: folder.file("model.safetensors")).tensors.keys.sorted()
    let gradients = try SafeTensorsFile(path: "\(encoder.directory)/expected.safetensors").tensors.keys
    #expect(names == gradients.filter { $0.hasPrefix("gradient.") }.map { String($0.dropFirst(9)) }.sorted())
    guard let exported = environment("DECANT_SAVED_ENCODERS") else { return }
    let sequences = try encoder.golden.sequences()
    let target = "\(exported)/\(encoder.golden.name)"
    try ModelStore.save(loaded.model, to: target)
    let values = Self.values(loaded.model, sequences, [])["hidden"]!
    let export: JSONValue = [
      "sequences": .array(sequences.map { .array($0.map { JSONValue(Int($0)) }) }),
      "hidden": .array(values.map { .double(Double($0)) }),
    ]
    try File.write(export.serialized(), to: "\(target)/decant_hidden.json")
  }

  @Test("a fresh encoder has every parameter of a configuration, with a pooler, and trains")
  func fresh() throws {
    var stream = RandomStream(seed: 1, name: "fresh")
    let model = try ModelStore.makeEncoder(EncoderCase.all[0].golden.configuration(), stream: &stream, training: .all)
    let expected = try EncoderCase.all[0].load()
    #expect(model.parameters.parameters.map(\.name) == expected.parameters.parameters.map(\.name))
    #expect(model.parameters["pooler.dense.weight"].gradient != nil)
  }

  // MARK: Refusals

  /// A folder with the case's weights and its configuration with keys replaced.
  private func altered(_ encoder: EncoderCase, _ keys: JSONObject, in folder: TemporaryFolder) throws -> String {
    var configuration = try encoder.golden.configuration()
    for entry in keys.entries { configuration[entry.key] = entry.value }
    _ = try folder.write(JSONValue.object(configuration).serialized(), to: "config.json")
    _ = try folder.write(try File.read("\(encoder.directory)/model.safetensors"), to: "model.safetensors")
    return folder.path
  }

  @Test(
    "a configuration of what is not computed is refused by its key",
    arguments: [
      (["position_embedding_type": "relative_key"], "position_embedding_type", "absolute"),
      (["is_decoder": true], "is_decoder", "is set"), (["add_cross_attention": true], "add_cross_attention", "is set"),
      (["hidden_act": "swishplus"], "hidden_act", "swishplus"), (["window": 3], "window", "the family bert"),
      (["num_attention_heads": 3], nil, "multiple"), (["hidden_size": 0], "hidden_size", "at least 1"),
      (["vocab_size": 41], "embeddings.word_embeddings.weight", "[41, 16]"),
    ] as [(JSONObject, String?, String)])
  func refused(keys: JSONObject, field: String?, saying: String) throws {
    let folder = try TemporaryFolder()
    let path = try altered(EncoderCase.all[0], keys, in: folder)
    expectDiagnostic(field: field, saying: saying) { _ = try ModelStore.loadEncoder(path, training: .none) }
  }

  @Test("an encoder is no causal language model, and the other way round, in one line")
  func kinds() throws {
    expectDiagnostic(field: "model_type", saying: "'bert', a family of encoders", "decant embed") {
      _ = try ModelStore.load(EncoderCase.all[0].directory, trainable: false)
    }
    expectDiagnostic(field: "model_type", saying: "'gpt2', a family of causal language models", "bert") {
      _ = try ModelStore.loadEncoder(GoldenCase(name: "gpt2-tied").directory, training: .none)
    }
  }
}

@Suite("Vectors of texts")
struct EmbedderTests {
  /// A folder with a case's model and more files.
  private func folder(_ golden: GoldenCase, _ files: [String: String] = [:]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors"] {
      _ = try folder.write(try File.read("\(golden.directory)/\(name)"), to: name)
    }
    try File.makeFolder(folder.file("1_Pooling"))
    for (name, text) in files { _ = try folder.write(text, to: name) }
    return folder
  }

  private static let modules =
    #"[{"path": "", "type": "sentence_transformers.models.Transformer"}, "#
    + #"{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}"#

  @Test("the vectors are the pooled hidden states, of length 1 where that is asked for", arguments: Pooling.allCases)
  func vectors(pooling: Pooling) throws {
    let encoder = EncoderCase.all[0]
    let sequences = try encoder.golden.sequences()
    let expected = try encoder.golden.expectedTensor(pooling.rawValue)
    let plain = try Embedder(encoder.directory, pooling: pooling, normalizes: nil)
    #expect(plain.width == 16 && !plain.normalizes && plain.maximumLength == nil)
    let vectors = plain.vectors(of: sequences, arena: Arena())
    expectClose(Array(vectors.joined()), expected, absolute: 1e-5)
    let unit = try Embedder(encoder.directory, pooling: pooling, normalizes: true)
    for (vector, other) in zip(unit.vectors(of: sequences, arena: Arena()), vectors) {
      let length = other.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      expectClose(vector.map(Double.init), other.map { Double($0) / length }, absolute: 1e-6)
    }
  }

  @Test("of a decoder they are its hidden states after the final norm")
  func decoder() throws {
    let golden = GoldenCase(name: "llama-tied")
    let sequences = try golden.sequences()
    let model = try golden.model()
    for (pooling, row) in [(Pooling.mean, nil), (.last, -1)] as [(Pooling, Int?)] {
      let embedder = try Embedder(golden.directory, pooling: pooling, normalizes: nil)
      let found = embedder.vectors(of: sequences, arena: Arena())
      for (sequence, vector) in zip(sequences, found) {
        let tape = Tape(arena: Arena(), recording: false)
        let hidden = model.hiddenStates(sequence, Packing(lengths: [sequence.count]), on: tape).value.array()
        let rows = stride(from: 0, to: hidden.count, by: 16).map { Array(hidden[$0..<$0 + 16]) }
        let mean = (0..<16).map { column in rows.reduce(0) { $0 + $1[column] } / Float(rows.count) }
        expectClose(vector, row == nil ? mean : rows.last!, absolute: 1e-5)
      }
    }
  }

  @Test(
    "the files of sentence-transformers are done as they say, unless something else is asked for",
    arguments: [
      (#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#, Pooling.cls),
      (#"{"pooling_mode_mean_tokens": true, "word_embedding_dimension": 16}"#, .mean),
      (#"{"pooling_mode_lasttoken": true}"#, .last), (#"{"pooling_mode": "cls"}"#, .cls),
    ])
  func settings(config: String, pooling: Pooling) throws {
    let normalize = #", {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]"#
    for (end, normalizes) in [(normalize, true), ("]", false)] {
      let folder = try folder(
        EncoderCase.all[0].golden,
        [
          "modules.json": Self.modules + end, "1_Pooling/config.json": config,
          "sentence_bert_config.json": #"{"max_seq_length": 12, "do_lower_case": false}"#,
        ])
      let found = try Embedder(folder.path, pooling: nil, normalizes: nil)
      #expect(found.pooling == pooling && found.normalizes == normalizes && found.maximumLength == 12)
      let asked = try Embedder(folder.path, pooling: .pooler, normalizes: !normalizes)
      #expect(asked.pooling == .pooler && asked.normalizes != normalizes)
    }
  }

  @Test(
    "modules and ways of pooling that are not known are named",
    arguments: [
      (
        "modules.json", #"[{"path": "2_Dense", "type": "sentence_transformers.models.Dense"}]"#, "[0].type",
        "not supported"
      ),
      ("modules.json", #"[{"path": "../x", "type": "a.Pooling"}]"#, "[0].path", "not a folder inside"),
      ("modules.json", #"[{"path": "nowhere", "type": "a.Pooling"}]"#, nil, "is missing"),
      ("1_Pooling/config.json", #"{"pooling_mode_max_tokens": true}"#, "pooling_mode_max_tokens", "not supported"),
      (
        "1_Pooling/config.json", #"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}"#,
        "pooling_mode_mean_tokens", "not the only"
      ),
      ("1_Pooling/config.json", "{}", nil, "no way of pooling"),
      ("1_Pooling/config.json", #"{"pooling_mode": "max"}"#, "pooling_mode", "not supported"),
      ("sentence_bert_config.json", #"{"do_lower_case": true}"#, "do_lower_case", "lower case"),
      ("sentence_bert_config.json", #"{"max_seq_length": 0}"#, "max_seq_length", "at least 2"),
    ] as [(String, String, String?, String)])
  func refusedSettings(file: String, text: String, field: String?, saying: String) throws {
    var files = ["modules.json": Self.modules + "]", "1_Pooling/config.json": #"{"pooling_mode_cls_token": true}"#]
    files[file] = text
    let folder = try folder(EncoderCase.all[0].golden, files)
    expectDiagnostic(field: field, saying: saying) { _ = try Embedder(folder.path, pooling: nil, normalizes: nil) }
  }

  @Test("a way of pooling that the model does not have is refused")
  func unfit() throws {
    expectDiagnostic(field: "pooling", saying: "the weights hold none") {
      _ = try Embedder(EncoderCase.all[1].directory, pooling: .pooler, normalizes: nil)
    }
    for pooling in [Pooling.cls, .pooler] {
      expectDiagnostic(field: "pooling", saying: "is a decoder") {
        _ = try Embedder(GoldenCase(name: "llama-tied").directory, pooling: pooling, normalizes: nil)
      }
    }
  }
}
