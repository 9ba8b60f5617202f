import Configuration
import Diagnostics
import Distillation
import Evaluation
import Files
import Fixtures
import JSON
import Models
import SafeTensors
import Samples
import Tensor
import TestSupport
import Testing
import Training

@Suite("Training a model that gives texts their vectors") struct EmbedderTrainingTests {
  private let world: TinyWorld
  private let encoder: String

  init() throws {
    world = try TinyWorld(rows: 32)
    encoder = try world.encoder()
  }

  private func configuration(
    student: String? = nil, teacher: String? = nil, data: String? = nil, objective: String = "{name: disco, bank: 8}",
    training: String = "{steps: 6, batch_size: 4, learning_rate: 1.0e-3}", more: String = ""
  ) throws -> EmbedderConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: \(student ?? "{from: \(encoder)}")
        \(teacher == "" ? "" : "teacher: \(teacher ?? "{model: \(world.teacher)}")")
        data: \(data ?? "{train: \(world.train), validation: \(world.validation)}")
        objective: \(objective)
        training: \(training)
        \(more)
        """, path: "run.yaml"
    ).decode(EmbedderConfiguration.self)
  }

  @discardableResult
  private func train(
    _ configuration: EmbedderConfiguration, in folder: String, resume: Bool = false
  ) throws -> TrainingOutcome {
    var stage = EmbedderTraining(configuration, output: world.folder.file(folder))
    stage.resume = resume
    return try stage.run()
  }

  private func vectors(_ model: String, _ output: String) throws -> [Float] {
    let stage = TextEmbedding(
      model: model, data: DataFiles(world.validation), output: world.folder.file("\(output).safetensors"))
    _ = try stage.run()
    return try SafeTensorsFile(path: stage.output).floats("embeddings")
  }

  @Test("the student comes to find the teacher's vectors, and its folder says how to use it") func learns() throws {
    let configuration = try configuration(
      training: "{steps: 120, batch_size: 16, learning_rate: 5.0e-3, log_every: 1}", more: "validation: {every: 40}")
    let outcome = try train(configuration, in: "run")
    let run = RunFolder(world.folder.file("run"))
    let metrics = try File.read(run.metrics).split(separator: UInt8(ascii: "\n")).map { try JSONValue.parse(Array($0)) }
    let validations = metrics.filter { $0["validation_loss"] != nil }
    #expect(validations.count == 4)
    let (first, last) = (try #require(validations.first), try #require(validations.last))
    #expect(last["validation_loss"]!.doubleValue! < 0.8 * first["validation_loss"]!.doubleValue!)
    #expect(last["validation_recall_at_1"]!.doubleValue! > first["validation_recall_at_1"]!.doubleValue!)
    #expect(last["validation_recall_at_1"]?.doubleValue == outcome.vectors?.recallAt1)
    #expect(outcome.vectors?.spearman != nil && outcome.vectors?.texts == 8)
    // tau begins at e and is learnt.
    let scales = metrics.compactMap { $0["scale"]?.doubleValue }
    #expect(scales.count == 120)
    expectClose(scales[0], 2.718281828, relative: 1e-6)
    #expect(scales.last! > 2.75)
    let saved = try Embedder(run.last, pooling: nil, normalizes: nil)
    #expect(saved.pooling == .mean && !saved.normalizes && saved.maximumLength == 64 && saved.width == 16)
    for file in ["modules.json", "1_Pooling/config.json", "tokenizer.json", "config.json", "projection.safetensors"] {
      #expect(File.exists("\(run.last)/\(file)"), "\(file)")
    }
    let table = try #require(try EmbedderTraining(configuration, output: run.path).shown())
    #expect(table.contains("start") && table.contains("student") && table.contains("recall_at_1"), "\(table)")
    // Damage in what lies deeper is found as elsewhere.
    try File.write([UInt8(ascii: "x")], to: "\(run.last)/1_Pooling/config.json")
    expectDiagnostic(.failure, saying: "is not what was written", "1_Pooling") {
      try train(configuration, in: "run", resume: true)
    }
  }

  @Test(
    "a run goes on from a checkpoint to the same bytes: student, W and tau, their optimizers",
    arguments: ["disco", "mse", "simcse"], [0, 0.2])
  func resumes(objective: String, dropout: Double) throws {
    let pairs = objective == "simcse"
    let configuration = try configuration(
      teacher: pairs ? "" : nil,
      data: pairs ? "{train: \(try triplets()), anchor: prompt, positive: response, negative: other}" : nil,
      objective: objective == "disco" ? "{name: disco, bank: 8}" : "{name: \(objective)}",
      training:
        "{steps: 6, batch_size: 4, learning_rate: 1.0e-3, dropout: \(dropout), micro_batch_tokens: 64, log_every: 1}",
      more: "checkpoints: {every: 2, keep: 9}\nvalidation: {every: 3}")
    try train(configuration, in: "whole")
    try train(configuration, in: "cut")
    let (whole, cut) = (RunFolder(world.folder.file("whole")), RunFolder(world.folder.file("cut")))
    for step in try cut.checkpointSteps() where step != 2 { try File.remove(cut.checkpoint(step: step)) }
    try train(configuration, in: "cut", resume: true)
    let beside = pairs ? [] : ["projection", "projection.optimizer"]
    for name in ["model", "optimizer"] + beside {
      let file = "\(name).safetensors"
      #expect(try File.read("\(cut.last)/\(file)") == File.read("\(whole.last)/\(file)"), "\(file)")
      #expect(try File.read("\(cut.last)/\(file)") != File.read("\(cut.checkpoint(step: 2))/\(file)"), "\(file)")
    }
    #expect(try File.read(cut.metrics) == File.read(whole.metrics))
    #expect(!pairs || !File.exists("\(whole.last)/projection.safetensors"))
  }

  /// Rows of a prompt, its response and the response to the next one.
  private func triplets() throws -> String {
    let rows = try File.read(world.train).split(separator: UInt8(ascii: "\n")).map { try JSONValue.parse(Array($0)) }
    let lines = rows.indices.map { number -> [UInt8] in
      var row = rows[number].objectValue!
      row["other"] = rows[(number + 1) % rows.count]["response"]
      return JSONValue.object(row).serialized() + [UInt8(ascii: "\n")]
    }
    return try world.folder.write(Array(lines.joined()), to: "triplets.jsonl")
  }

  @Test("a pooled decoder and layers of the teacher are students too, with what their folders say") func students()
    throws
  {
    try train(
      configuration(student: "{from: \(world.student), pooling: last, normalize: true}"), in: "decoder")
    let decoder = try Embedder("\(world.folder.file("decoder"))/checkpoints/last", pooling: nil, normalizes: nil)
    #expect(decoder.pooling == .last && decoder.normalizes)
    try train(
      configuration(student: "{layers: [1], pooling: mean}", objective: "{name: mse, projection: false}"), in: "layer")
    let layer = try ModelStore.load("\(world.folder.file("layer"))/checkpoints/last", trainable: false).model
    #expect(layer.configuration.layerCount == 1 && layer.configuration.hiddenSize == 32)
    // What no vector depends on is left as it was: here the encoder's pooler.
    try train(configuration(student: "{layers: [0]}", teacher: "{model: \(encoder)}"), in: "encoder")
    let path = "\(world.folder.file("encoder"))/checkpoints/last"
    let (before, after) = (
      try ModelStore.loadEncoder(encoder, trainable: false).model,
      try ModelStore.loadEncoder(path, trainable: false).model
    )
    for name in ["pooler.dense.weight", "encoder.layer.0.attention.self.query.weight"] {
      let same = before.parameters[name].value.array() == after.parameters[name].value.array()
      #expect(same == name.hasPrefix("pooler"), "\(name)")
    }
    #expect(try vectors(path, "after") != vectors(encoder, "before"))
    // The second stage goes on from the first one's folder, and keeps what it says.
    try train(
      configuration(
        student: "{from: \(world.folder.file("decoder"))/checkpoints/last}", teacher: "",
        data: "{train: \(world.train), validation: \(world.validation), anchor: prompt, positive: response}",
        objective: "{name: simcse}"), in: "second")
    let second = try Embedder("\(world.folder.file("second"))/checkpoints/last", pooling: nil, normalizes: nil)
    #expect(second.pooling == .last && second.normalizes && second.width == 16)
  }

  @Test("the teacher's vectors are written once, or taken as `decant embed` wrote them, to the same bytes")
  func vectors()
    throws
  {
    let embed = { (data: String, name: String) in
      let stage = TextEmbedding(model: world.teacher, data: DataFiles(data), output: world.folder.file(name))
      _ = try stage.run()
      return stage.output
    }
    let (train, validation) = (
      try embed(world.train, "train.safetensors"), try embed(world.validation, "validation.safetensors")
    )
    try self.train(configuration(), in: "own")
    try self.train(
      configuration(teacher: "{vectors: \(train), validation_vectors: \(validation)}"), in: "given")
    let folders = ["own", "given"].map { world.folder.file($0) }
    #expect(
      try File.read("\(folders[0])/checkpoints/last/model.safetensors")
        == File.read("\(folders[1])/checkpoints/last/model.safetensors"))
    #expect(try File.read("\(folders[0])/teacher/train.safetensors") == File.read(train))
    // Vectors of other rows, and of another teacher.
    let fault = expectDiagnostic(file: validation, field: "data", saying: "other rows", "now", "then") {
      try self.train(configuration(teacher: "{vectors: \(validation), validation_vectors: \(validation)}"), in: "rows")
    }
    #expect(fault?.remedy?.contains("decant embed") == true)
    expectDiagnostic(file: train, field: "model", saying: "model is", "now", "then") {
      try self.train(
        configuration(teacher: "{model: \(world.student), vectors: \(train)}"), in: "other")
    }
    // A run that was begun with others.
    let whole = try File.read(world.train)
    try File.write(whole + Array(#"{"prompt": "More?", "response": " Yes."}"#.utf8) + [10], to: world.train)
    expectDiagnostic(saying: "data is", "now", "then") { try self.train(configuration(), in: "own", resume: true) }
    try File.write(whole, to: world.train)
    #expect(try self.train(configuration(), in: "own", resume: true).steps == 6)
  }

  @Test("vectors of two widths, of fewer rows than there are, and of nobody knows whom are refused") func otherVectors()
    throws
  {
    func embed(_ model: String, _ data: String, _ name: String, longest: Int? = nil) throws -> String {
      var stage = TextEmbedding(model: model, data: DataFiles(data), output: world.folder.file(name))
      if let longest { (stage.format.maximumLength, stage.format.longPrompts) = (longest, .drop) }
      _ = try stage.run()
      return stage.output
    }
    let train = try embed(world.teacher, world.train, "train.safetensors")
    let narrow = try embed(world.student, world.validation, "narrow.safetensors")
    expectDiagnostic(file: narrow, field: "teacher.validation_vectors", saying: "of 16 numbers", "have 32") {
      try self.train(configuration(teacher: "{vectors: \(train), validation_vectors: \(narrow)}"), in: "widths")
    }
    let data = "{train: \(world.folder.file("two.jsonl"))}"
    let rows = #"{"text": "a"}"# + "\n" + #"{"prompt": "\#(String(repeating: "q ", count: 40))", "response": "b"}"#
    let two = try world.folder.write(rows, to: "two.jsonl")
    let one = try embed(world.teacher, two, "one.safetensors", longest: 8)
    let mse = "{name: mse}", training = "{steps: 1, batch_size: 1}"
    expectDiagnostic(file: one, field: "embeddings", saying: "holds 1 vectors, and the student reads 2 rows") {
      try self.train(
        configuration(
          student: "{from: \(world.student), pooling: mean}", teacher: "{vectors: \(one)}", data: data, objective: mse,
          training: training), in: "rows")
    }
    let foreign = world.folder.file("foreign.safetensors")
    try unsafe [Float](repeating: 1, count: 4).withUnsafeBytes { bytes in
      try unsafe SafeTensorsWriter.write(
        to: foreign, tensors: [("embeddings", [2, 2], .float32, bytes)], metadata: ["format": "pt"])
    }
    expectDiagnostic(file: foreign, field: "data", saying: "does not say which teacher") {
      try self.train(
        configuration(
          student: "{from: \(world.student), pooling: mean}", teacher: "{vectors: \(foreign)}", data: data,
          objective: mse, training: training), in: "foreign")
    }
  }

  /// What is at fault, a part of what is said of it, and the configuration.
  private typealias Refusal = (field: String, saying: String, configuration: () throws -> EmbedderConfiguration)

  private func expectRefused(_ cases: [Refusal]) throws {
    for (number, entry) in cases.enumerated() {
      let fault = expectDiagnostic(saying: entry.saying) { try train(entry.configuration(), in: "refused-\(number)") }
      #expect(fault?.field == entry.field, "\(String(describing: fault))")
      #expect(!File.exists(world.folder.file("refused-\(number)/checkpoints")))
    }
  }

  @Test("students and teachers that cannot be are refused by name before the first step") func refusedModels() throws {
    let given = "vectors: x, validation_vectors: y"
    try expectRefused([
      ("student.pooling", "nothing says how", { try configuration(student: "{from: \(world.student)}") }),
      ("student.pooling", "is cls", { try configuration(student: "{from: \(world.student), pooling: cls}") }),
      ("student.pooling", "no word for", { try configuration(student: "{from: \(encoder), pooling: pooler}") }),
      (
        "student.layers", "teacher.model",
        { try configuration(student: "{layers: [0], tokenizer: \(world.student)}", teacher: "{\(given)}") }
      ),
      (
        "student.share", "uses each of its layers once",
        { try configuration(student: "{from: \(world.student), pooling: mean, share: {layers: 1}}") }
      ),
      ("student.layers", "cannot be taken", { try configuration(student: "{layers: [7], pooling: mean}") }),
      ("teacher.url", "names a server", { try configuration(teacher: "{url: \"http://localhost:1/v1\"}") }),
      ("teacher", "needs a teacher", { try configuration(teacher: "") }),
      ("teacher", "at least one of", { try configuration(teacher: "{pooling: mean}") }),
      ("teacher", "from the rows alone", { try configuration(objective: "{name: simcse}") }),
      ("teacher.validation_vectors", "have no vectors", { try configuration(teacher: "{vectors: x}") }),
      ("teacher.pooling", "are there already", { try configuration(teacher: "{\(given), pooling: mean}") }),
      (
        "objective.projection", "have 16 numbers, the teacher's 32",
        { try configuration(objective: "{name: disco, bank: 8, projection: false}") }
      ),
    ])
  }

  @Test("objectives and steps that cannot be are refused by name before the first step") func refusedSteps() throws {
    try expectRefused([
      (
        "objective.bank", "is 29: with the 4 rows of a step that makes 33",
        { try configuration(objective: "{name: disco, bank: 29}") }
      ),
      ("objective.log_scale", "is 20.0", { try configuration(objective: "{name: disco, log_scale: 20}") }),
      ("objective.name", "is none of disco, mse, simcse", { try configuration(objective: "{name: fkl}") }),
      ("objective.bank", "is not a known key", { try configuration(objective: "{name: mse, bank: 4}") }),
      ("training.batch_size", "there are 32 rows", { try configuration(training: "{steps: 1, batch_size: 33}") }),
      (
        "training.batch_size", "nothing to be told apart from",
        { try configuration(objective: "{name: disco, bank: 0}", training: "{steps: 1, batch_size: 1}") }
      ),
    ])
    // Where next tokens are learnt it is not known, and the other verb is named.
    let fault = expectDiagnostic(field: "objective.name", saying: "'disco' is none of") {
      _ = try ConfigurationFile(
        text: "student: {from: x}\ndata: {train: y}\ntraining: {steps: 1}\nobjective: {name: disco}", path: "t.yaml"
      ).decode(TrainingConfiguration.self)
    }
    #expect(fault?.remedy?.contains("train-embedder") == true)
  }

  @Test("rows that cannot be are refused by name before the first step") func refusedRows() throws {
    try expectRefused([
      ("data.anchor", "one text a row", { try configuration(data: "{train: \(world.train), anchor: prompt}") }),
      (
        "data.positive", "belong together",
        {
          try configuration(teacher: "", data: "{train: \(world.train), anchor: prompt}", objective: "{name: simcse}")
        }
      ),
      (
        "data.fields", "name their fields",
        {
          try configuration(
            teacher: "", data: "{train: \(world.train), anchor: a, positive: b, fields: {text: c}}",
            objective: "{name: simcse}")
        }
      ),
      (
        "data.long_prompts", "leave rows out",
        { try configuration(data: "{train: \(world.train), long_prompts: drop}") }
      ),
    ])
    let one = "{steps: 1, batch_size: 1}"
    let empty = try world.folder.write(
      #"{"prompt": "a", "response": "b"}"# + "\n" + #"{"text": " "}"#, to: "empty.jsonl")
    expectDiagnostic(file: empty, line: 2, saying: "is empty") {
      try train(configuration(data: "{train: \(empty)}", training: one), in: "empty")
    }
    let bare = try world.folder.write(#"{"prompt": "a"}"# + "\n", to: "bare.jsonl")
    expectDiagnostic(file: bare, line: 1, saying: "fits no shape", "give \"response\",") {
      try train(
        configuration(
          teacher: "", data: "{train: \(bare), anchor: prompt, positive: response}", objective: "{name: simcse}",
          training: one), in: "bare")
    }
  }
}
