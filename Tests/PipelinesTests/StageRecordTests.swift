import Configuration
import Diagnostics
import Distillation
import Files
import Fingerprints
import Fixtures
import JSON
import Pipelines
import TestSupport
import Testing

/// A finished stage is recognised by what its settings are, however they are written.
@Suite("Records of finished stages") struct StageRecordTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 12) }

  /// Whether the one stage of a pipeline was skipped.
  private func skips(_ stage: String, seed: Int = 1, output: String = "out") throws -> Bool {
    let text = """
      output: \(world.folder.file(output))
      seed: \(seed)
      stages:
        it:
          \(stage)

      """
    let path = try world.folder.write(text, to: "pipeline.yaml")
    return try PipelineRunner(PipelineFile(path: path)).run().map(\.skipped) == [true]
  }

  private func precompute(_ keys: String) -> String { "precompute: {teacher: \(world.teacher), \(keys)}" }

  @Test("by value: order, layout, a default spelled out and a seed that it does not use change nothing") func byValue()
    throws
  {
    #expect(try !skips(precompute("data: \(world.train), top_k: 8")))
    #expect(try skips(precompute("top_k: 8, data: [\(world.train)], codec: compact, vocabulary: null")))
    #expect(try skips("precompute:\n      data: '\(world.train)'\n      teacher: \(world.teacher)\n      top_k: 8"))
    #expect(
      try skips(precompute("data: \(world.train), top_k: 8, cache: \"${output}/it/cache\", batch_tokens: 4096")))
    #expect(try skips(precompute("data: \(world.train), top_k: 8"), seed: 2))
  }

  @Test("what has changed is named with both values") func changed() throws {
    #expect(try !skips(precompute("data: \(world.train), top_k: 8")))
    expectDiagnostic(
      file: world.folder.file("out/it"), field: "precompute.top_k", saying: "precompute.top_k is 4 now, 8 there",
      "choose another `output`"
    ) { _ = try self.skips(self.precompute("data: \(self.world.train), top_k: 4")) }
    expectDiagnostic(field: "precompute.vocabulary", saying: "precompute.vocabulary is 300 now, nothing there") {
      _ = try self.skips(self.precompute("data: \(self.world.train), top_k: 8, vocabulary: 300"))
    }
  }

  @Test("seeds that no double tells apart are different ones") func largeSeeds() throws {
    let keys = "model: \(world.student), data: \(world.validation), max_new_tokens: 2"
    #expect(try !skips("generate: {\(keys), seed: 18446744073709551615}"))
    #expect(try skips("generate: {seed: 18446744073709551615, \(keys)}"))
    expectDiagnostic(
      field: "generate.seed", saying: "generate.seed is 18446744073709551614 now, 18446744073709551615 there"
    ) { _ = try self.skips("generate: {\(keys), seed: 18446744073709551614}") }
  }

  @Test("a converted model lies in its stage's folder, and the same size in other words is the same") func converted()
    throws
  {
    #expect(try !skips("convert: {model: \(world.student), dtype: bfloat16}"))
    #expect(File.exists(world.folder.file("out/it/model/config.json")))
    #expect(try skips("convert: {model: \(world.student), dtype: bfloat16, max_shard_size: 5000MB}"))
    expectDiagnostic(field: "convert.dtype", saying: "convert.dtype is float16 now, bfloat16 there") {
      _ = try self.skips("convert: {model: \(self.world.student), dtype: float16}")
    }
  }

  @Test("a folder that was moved keeps its products") func moved() throws {
    #expect(try !skips(precompute("data: \(world.train), top_k: 8")))
    try File.move(world.folder.file("out"), to: world.folder.file("elsewhere"))
    #expect(try skips(precompute("data: \(world.train), top_k: 8"), output: "elsewhere"))
  }

  @Test("a record whose version had fewer keys, and one that kept a fingerprint of YAML alone") func earlier() throws {
    let stage = precompute("data: \(world.train), top_k: 8")
    #expect(try !skips(stage))
    let path = world.folder.file("out/it/stage.json")
    var record = try #require(try JSONValue.parse(File.read(path), file: path).objectValue)
    var keys = try #require(record["settings"]?["precompute"]?.objectValue)
    #expect(keys["batch_tokens"] == 4096 && keys["cache"] == "${output}/it/cache")
    keys["batch_tokens"] = nil
    record["settings"] = ["precompute": .object(keys)]
    record["configuration"] = .string("\(Fingerprint(of: "another version"))")
    try File.write(JSONValue.object(record).serialized(), to: path)
    #expect(try skips(stage))
    // As the first versions wrote it: of the seed and the stage's lines.
    let file = try ConfigurationFile(text: stage, path: "stage.yaml")
    let earlier = JSONValue.object([
      "configuration": .string("\(Fingerprint(of: "seed: 1\n" + file.text))"), "seconds": 1.5,
    ])
    try File.write(earlier.serialized(), to: path)
    #expect(try skips(stage))
    expectDiagnostic(saying: "made by another configuration (", " there, ") {
      _ = try self.skips(self.precompute("data: \(self.world.train), top_k: 4"))
    }
    try File.write(Array("{\"configuration\":\"x\",\"seconds\":1}".utf8), to: path)
    expectDiagnostic(.failure, file: path, saying: "is damaged") { _ = try self.skips(stage) }
  }

  @Test("a stage of a pipeline takes every key of its verb, and a file may say where its product lies") func keys()
    throws
  {
    let cache = world.folder.file("elsewhere")
    #expect(
      try !skips(
        precompute(
          "data: \(world.train), top_k: 8, vocabulary: 300, batch_tokens: 64, precision: bf16, cache: \(cache)")))
    #expect(File.exists("\(cache)/manifest.json") && !File.exists(world.folder.file("out/it/cache")))
    #expect(
      try !skips(
        "evaluate: {model: \(world.student), data: \(world.validation), generate: true, max_new_tokens: 4, limit: 2}",
        output: "evaluation"))
    let report = try JSONValue.parse(File.read(world.folder.file("evaluation/it/report.json")), file: "report.json")
    #expect(report["nll"]?.doubleValue != nil && report["samples"] == 2)
    #expect(
      try !skips(
        "generate: {model: \(world.student), data: \(world.validation), max_new_tokens: 4, batch_size: 2}",
        output: "answers"))
    #expect(File.exists(world.folder.file("answers/it/responses.jsonl")))
    #expect(try !skips("embed: {model: \(world.student), data: \(world.validation)}", output: "vectors"))
    #expect(File.exists(world.folder.file("vectors/it/embeddings.safetensors")))
  }

  @Test("a stage that is refused leaves no folder") func leavesNothing() throws {
    expectDiagnostic(saying: "no such") { _ = try self.skips(self.precompute("data: /nowhere.jsonl")) }
    #expect(!File.exists(world.folder.file("out/it")))
  }

  @Test("values out of bounds are named by file, line and path") func bounds() {
    expectDiagnostic(line: 5, field: "stages.it.precompute.top_k", saying: "is 0, but must be from 1 to") {
      _ = try self.skips(self.precompute("data: x, top_k: 0"))
    }
    expectDiagnostic(line: 6, field: "stages.it.generate.top_p", saying: "is 0.0, but must be from 1e-06 to 1.0") {
      _ = try self.skips("generate:\n      top_p: 0\n      model: x\n      data: y")
    }
  }
}

/// What all stages have in common.
@Suite("The table of stages") struct StageTableTests {
  /// The least that describes each stage, beside what a pipeline fills in.
  private static let least = [
    "synthesize": "output: x", "precompute": "{teacher: t, data: d, cache: x}",
    "regenerate": "{student: s, teacher: t, data: d, replay: x}", "generate": "{model: m, data: d, output: x}",
    "embed": "{model: m, data: d, output: x}",
    "evaluate": "{model: m, data: d}", "convert": "{model: m, output: x}",
    "tokenize": "{model: m, data: d, output: x}", "detoxify": "{teacher: t, data: d, output: x}",
    "compare": "{data: d, teacher: t, models: {b: x, a: y}, output: x}",
    "train": "{student: {from: s}, data: {train: d}, training: {steps: 1}, output: x}",
    "train-embedder":
      "{student: {from: s}, teacher: {model: t}, data: {train: d}, training: {steps: 1}, output: x}",
    "sweep":
      "{learning_rates: [1.0e-3], train: {student: {from: s}, data: {train: d}, training: {steps: 1}}, output: x}",
  ]

  @Test("a stage is written as what reads back as the same one, with every default in place") func roundTrip() throws {
    #expect(Set(StageTable.all.map { $0.name }) == Set(Self.least.keys))
    for type in StageTable.all { try Self.check(type) }
  }

  private static func check<Work: Stage>(_ type: Work.Type) throws {
    let text = try #require(least[Work.name])
    let stage = try ConfigurationFile(text: text, path: "least.yaml").decode(type)
    let canonical = try JSONValue(canonical: stage)
    let written = try ConfigurationFile(text: ConfigurationFile.text(of: stage), path: "again.yaml")
    #expect(try JSONValue(canonical: written.decode(type)) == canonical)
    // JSON of a record reads back too.
    let node = ConfigurationNode(canonical, at: .init(file: "stage.json", line: nil))
    #expect(try JSONValue(canonical: ConfigurationFile.decode(type, from: node)) == canonical)
    let keys = try #require(canonical.objectValue?.keys)
    #expect(keys == keys.sorted())
    // `evaluate` alone has none where nothing is filled in.
    #expect(Set(Work.filled.map(\.key)).isSubset(of: Set(keys).union(["output"])), "\(Work.name)")
    try stage.validate()
  }
}
