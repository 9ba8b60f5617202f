import Configuration
import Distillation
import Files
import Fixtures
import JSON
import Provenance
import Samples
import TestSupport
import Testing
import Training

/// What a result was made from is pinned by content, and a change is refused with both values.
@Suite("Provenance") struct ProvenanceTests {
  private let world: TinyWorld
  private let run: String

  init() throws {
    world = try TinyWorld(rows: 24)
    run = world.folder.file("run")
  }

  private func configuration(_ teacher: String = "", objective: String = "sft") throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        student: {from: \(world.student)}
        \(teacher)
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: \(objective)}
        training: {epochs: 2, batch_size: 6, log_every: 1}
        checkpoints: {every: 2, keep: 9}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  /// Trains and takes the steps after the second one back, as if the run had been cut off there.
  private func trainHalf(_ settings: TrainingConfiguration) throws {
    _ = try Trainer.train(settings, output: run, resume: false)
    let folder = RunFolder(run)
    for step in try folder.checkpointSteps() where step > 2 { try File.remove(folder.checkpoint(step: step)) }
  }

  private func resume(_ settings: TrainingConfiguration, accept: Bool = false) throws -> TrainingOutcome {
    try Trainer.train(settings, output: run, resume: true, acceptChangedData: accept)
  }

  @Test("a run whose rows have changed is refused, unless that is accepted, which the run records") func data() throws {
    let settings = try configuration()
    try trainHalf(settings)
    let before = try #require(try Provenance(path: RunFolder(run).provenance))
    let more = try File.read(world.train)
    try File.write(more + more, to: world.train)
    let now = try File.read(world.train)
    expectDiagnostic(
      file: RunFolder(run).provenance, field: "data.train", saying: before["data.train"]?.content ?? "none",
      world.train,
      "`accept_changed_data`", "another `output`"
    ) { _ = try self.resume(settings) }
    #expect(try RunFolder(run).checkpointSteps() == [2])
    // Twice the rows, so twice the steps.
    #expect(try resume(settings, accept: true).steps == 16)
    let after = try #require(try Provenance(path: RunFolder(run).provenance))
    #expect(after.acceptedChanges.map(\.part) == ["data.train", "samples"])
    #expect(after.acceptedChanges.first?.before == before["data.train"]?.content)
    #expect(after.acceptedChanges.first?.after == "step 2")
    #expect(try File.read(world.train) == now)
  }

  @Test("another tokenizer is refused whatever is accepted") func tokenizer() throws {
    let settings = try configuration()
    try trainHalf(settings)
    let path = "\(world.student)/tokenizer.json"
    var json = try #require(try JSONValue.parse(try File.read(path)).objectValue)
    var model = try #require(json["model"]?.objectValue)
    var vocabulary = try #require(model["vocab"]?.objectValue)
    (vocabulary["a"], vocabulary["b"]) = (vocabulary["b"], vocabulary["a"])
    model["vocab"] = .object(vocabulary)
    json["model"] = .object(model)
    try File.write(JSONValue.object(json).serialized(), to: path)
    expectDiagnostic(field: "tokenizer", saying: "tokenizer is", "then") {
      _ = try self.resume(settings, accept: true)
    }
  }

  @Test("a checkpoint holds everything: the folder that the student began as may be gone, or another") func base()
    throws
  {
    let settings = try configuration()
    _ = try Trainer.train(settings, output: world.folder.file("whole"), resume: false)
    try trainHalf(settings)
    try File.move(world.student, to: world.folder.file("elsewhere"))
    _ = try resume(settings)
    for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
      #expect(
        try File.read("\(RunFolder(run).last)/\(name)")
          == File.read("\(world.folder.file("whole"))/checkpoints/last/\(name)"),
        "\(name)")
    }
  }

  @Test("a run of a version that recorded nothing goes on, and records from then on") func older() throws {
    let settings = try configuration()
    try trainHalf(settings)
    try File.remove(RunFolder(run).provenance)
    _ = try resume(settings)
    #expect(try Provenance(path: RunFolder(run).provenance)?["data.train"] != nil)
  }

  @Test("other kernels are told and recorded, not refused") func engine() throws {
    let settings = try configuration()
    try trainHalf(settings)
    var made = try #require(try Provenance(path: RunFolder(run).provenance))
    made.pin("engine", "kernels of another machine")
    try made.write(to: RunFolder(run).provenance)
    _ = try resume(settings)
    let changes = try #require(try Provenance(path: RunFolder(run).provenance)).acceptedChanges
    #expect(changes.map(\.part) == ["engine"] && changes.first?.before == "kernels of another machine")
  }

  @Test("a damaged record is named, not ignored") func damaged() throws {
    let settings = try configuration()
    try trainHalf(settings)
    let path = RunFolder(run).provenance
    try File.write(Array(try File.read(path).dropLast(9)), to: path)
    expectDiagnostic(file: path) { _ = try self.resume(settings) }
  }

  @Test("an output that holds rows is gone on with by what it was made from alone") func outputs() throws {
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = 4
    var stage = BatchInference(
      model: world.student, data: DataFiles(world.train), format: RowFormat(), output: world.folder.file("out.jsonl"),
      decoding: decoding)
    _ = try stage.run()
    let rows = try File.read(stage.output)
    // A moved data set is the same data set.
    try File.move(world.train, to: world.folder.file("moved.jsonl"))
    stage.data = DataFiles(world.folder.file("moved.jsonl"))
    #expect(try stage.run().resumedRows == 24)
    stage.decoding.maximumNewTokens = 5
    expectDiagnostic(file: stage.output, field: "decoding", saying: "max_new_tokens 5", "max_new_tokens 4") {
      _ = try stage.run()
    }
    stage.decoding.maximumNewTokens = 4
    stage.model = world.teacher
    expectDiagnostic(file: stage.output, field: "model", saying: world.teacher, world.student) { _ = try stage.run() }
    stage.model = world.student
    for marker in [Array("0123456789abcdef0123456789abcdef".utf8), nil] {
      try File.remove("\(stage.output).made-by")
      if let marker { try File.write(marker, to: "\(stage.output).made-by") }
      expectDiagnostic(file: stage.output, saying: "nothing says what they were made from", "remove the file") {
        _ = try stage.run()
      }
    }
    #expect(try File.read(stage.output) == rows)
  }

  @Test("what a run was made from survives its file") func roundTrip() throws {
    var made = Provenance()
    made.pin("data", "00", place: "a \"quoted\" path/ü.jsonl")
    made.pin("seed", 3)
    made.pin("seed", 4)
    let path = world.folder.file("made_from.json")
    try made.write(to: path)
    #expect(try Provenance(path: path) == made)
    #expect(made.parts.map(\.content) == ["00", "4"])
    #expect(try Provenance(path: world.folder.file("none")) == nil)
  }
}
