import Configuration
import Distillation
import Fixtures
import JSON
import Models
import RandomStreams
import Files
import Samples
import Teachers
import TestSupport
import Testing
import Training

/// A teacher that does not fit the student and the data is refused before the first step, and before the first answer.
@Suite("Teachers that do not fit") struct TeacherFitTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 12) }

  /// A copy of the teacher with keys of its configuration changed; weights are made anew.
  private func teacher(_ keys: JSONObject) throws -> String {
    let path = world.folder.file("other-teacher")
    var json = try #require(
      try JSONValue.parse(try File.read("\(world.teacher)/config.json")).objectValue)
    for key in keys.keys { json[key] = keys[key] }
    var stream = RandomStream(seed: 1, name: "initialization")
    let files = ["tokenizer.json", "tokenizer_config.json"].map { "\(world.teacher)/\($0)" }
    try ModelStore.save(try ModelStore.make(json, stream: &stream, trainable: false), to: path, extraFiles: files)
    return path
  }

  private func train(_ teacher: String, student: String? = nil, replay: String = "", objective: String = "fkl") throws {
    let configuration = try ConfigurationFile(
      text: """
        student: \(student ?? "{from: \(world.student)}")
        teacher: \(teacher)
        data: {train: \(world.train)}
        objective: {name: \(objective)}
        training: {steps: 2, batch_size: 4}
        \(replay)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(configuration, output: world.folder.file("run"), resume: false)
  }

  @Test("a live teacher whose context is shorter than a row") func context() throws {
    let short = try teacher(["max_position_embeddings": 8])
    expectDiagnostic(file: world.train, line: 1, field: "max_length", saying: "the teacher, 8", "lower max_length to 8")
    {
      try self.train("{model: \(short), live: true}")
    }
  }

  @Test("a teacher that could not read the longest answer of a student") func answers() throws {
    let short = try teacher(["max_position_embeddings": 40])
    expectDiagnostic(field: "replay.max_new_tokens", saying: "the teacher, 40", "lower max_new_tokens to") {
      try self.train("{model: \(short)}", replay: "replay: {initial_phi: 1, max_new_tokens: 60}")
    }
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = 60
    let stage = Regeneration(
      student: world.student, teacher: .model(short), data: DataFiles(world.train), format: RowFormat(),
      replay: world.folder.file("replay"), decoding: decoding)
    expectDiagnostic(field: "max_new_tokens", saying: "the teacher, 40") { _ = try stage.run() }
    #expect(!File.exists(world.folder.file("replay")))
  }

  @Test("a live teacher whose vocabulary lacks tokens of a row") func vocabulary() throws {
    let small = try teacher(["vocab_size": 270])
    expectDiagnostic(file: world.train, saying: "outside the vocabulary of the teacher, 270") {
      try self.train("{model: \(small), live: true}")
    }
    var stage = Precompute(
      teacher: .model(small), data: DataFiles(world.train), format: RowFormat(), cache: world.folder.file("cache"))
    stage.topK = 4
    expectDiagnostic(saying: "270") { _ = try stage.run() }
    #expect(!File.exists(world.folder.file("cache")))
  }

  @Test(
    "a teacher that is neither live nor cached, whatever it is loaded for",
    arguments: [
      ("{layers: [0]}", ""), (nil, "replay: {initial_phi: 0.5, max_new_tokens: 4}"),
      (nil, "replay: {initial_phi: 0, max_new_tokens: 4}"), (nil, ""),
    ] as [(String?, String)])
  func neither(student: String?, replay: String) throws {
    expectDiagnostic(field: "teacher", saying: "teacher.cache", "live: true") {
      try self.train("{model: \(self.world.teacher)}", student: student, replay: replay)
    }
  }

  @Test("where every step is on student outputs, no fixed row needs a signal") func onPolicy() throws {
    try train("{model: \(world.teacher)}", replay: "replay: {initial_phi: 1, max_new_tokens: 4}")
  }

  @Test(
    "counts beyond all measure are refused by name",
    arguments: [
      "training: {steps: 2, batch_size: 9223372036854775807}", "training: {steps: 9223372036854775807}",
      "training: {steps: 2, micro_batch_tokens: 9223372036854775807}", "training: {epochs: 1e300}",
      "training: {steps: 2, warmup_steps: 9223372036854775807}", "training: {steps: 2, learning_rate: .inf}",
      "training: {steps: 2, log_every: 9223372036854775807}", "training: {steps: 2, weight_decay: 1e300}",
      "training: {steps: 2}\nreplay: {max_new_tokens: 9223372036854775807}",
      "training: {steps: 2}\nreplay: {capacity: 9223372036854775807}",
      "training: {steps: 2}\nreplay: {phi_steps: 9223372036854775807}",
      "training: {steps: 2}\nvalidation: {limit: 9223372036854775807}",
      "training: {steps: 2}\ncheckpoints: {keep: 9223372036854775807}",
    ])
  func counts(section: String) throws {
    let file = try ConfigurationFile(
      text: "student: {from: s}\ndata: {train: t}\n\(section)", path: "test.yaml")
    expectDiagnostic(file: "test.yaml") { _ = try file.decode(TrainingConfiguration.self) }
  }
}
