import Configuration
import Distillation
import Evaluation
import Files
import Fixtures
import JSON
import LogitCache
import Replay
import Samples
import Sequences
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

@Suite("Stages one and three, batch inference, evaluation") struct StageTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 24) }

  private func precompute(_ name: String, tokens: Int = 4096, topK: Int = 8) -> Precompute {
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: world.folder.file(name))
    stage.topK = topK
    stage.tokensPerBatch = tokens
    return stage
  }

  private func export(_ name: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try LogitCache(directory: world.folder.file(name)).export { bytes += $0 }
    return bytes
  }

  @Test("run again, nothing is computed; whatever the batches, the records are the same") func precomputes() throws {
    let forecast = try precompute("cache").forecast()
    let first = try precompute("cache").run()
    let again = try precompute("cache").run()
    #expect((first.computed, again.computed) == (24, 0))
    #expect((forecast.samples, forecast.present, forecast.scoredPositions) == (24, 0, first.scoredPositions))
    _ = try precompute("small batches", tokens: 30).run()
    #expect(try export("small batches") == export("cache"))
  }

  @Test("a cache of another top-k or teacher is refused and left alone") func mismatch() throws {
    _ = try precompute("cache").run()
    let before = try export("cache")
    expectDiagnostic(field: "top_k", saying: "top_k is 8 in the cache, 4 now") {
      _ = try self.precompute("cache", topK: 4).run()
    }
    expectDiagnostic(field: "teacher", saying: "teacher is") {
      var stage = self.precompute("cache")
      stage.teacher = .model(self.world.student)
      _ = try stage.run()
    }
    #expect(try export("cache") == before)
  }

  @Test("a top-k beyond the vocabulary is refused") func topK() {
    expectDiagnostic(field: "top_k", saying: "301", "300") { _ = try self.precompute("cache", topK: 301).run() }
  }

  @Test("responses come in input order, the same in any batch, and a cut file is completed") func generates() throws {
    func run(_ name: String, batchSize: Int) throws -> [UInt8] {
      var stage = BatchInference(
        model: world.student, data: DataFiles(world.train), format: RowFormat(), output: world.folder.file(name),
        decoding: Self.decoding)
      stage.batchSize = batchSize
      _ = try stage.run()
      return try File.read(stage.output)
    }
    let whole = try run("whole.jsonl", batchSize: 5)
    #expect(try run("other.jsonl", batchSize: 1) == whole)
    let rows = try whole.split(separator: UInt8(ascii: "\n")).map { try JSONValue.parse(Array($0)) }
    #expect(rows.count == 24)
    #expect(rows.allSatisfy { $0["response"]?.stringValue != nil })
    let reasons = Set(rows.map { $0["finish_reason"]?.stringValue ?? "none" })
    #expect(reasons.isSubset(of: ["eos", "length"]), "\(reasons)")
    try File.write(Array(whole.prefix(whole.count / 2)), to: world.folder.file("whole.jsonl"))
    #expect(try run("whole.jsonl", batchSize: 3) == whole)
  }

  @Test("an output begun with other settings is not mixed") func mixing() throws {
    var stage = BatchInference(
      model: world.student, data: DataFiles(world.train), format: RowFormat(), output: world.folder.file("out.jsonl"),
      decoding: Self.decoding)
    _ = try stage.run()
    stage.seed = 2
    expectDiagnostic(file: stage.output, saying: "begun with something else", "seed is 2 now, 1 then") {
      _ = try stage.run()
    }
  }

  @Test("responses of several seeds are their mean with its deviation, and greedy ones have one seed") func seeds()
    throws
  {
    var stage = ModelEvaluation(model: world.student, data: DataFiles(world.validation), format: RowFormat())
    (stage.generate, stage.maximumNewTokens, stage.calibration) = (true, 40, true)
    (stage.answering.temperature, stage.answering.noRepeatNGram) = (1, 3)
    func report(seeds: Int) throws -> EvaluationReport.Responses {
      stage.answering.seeds = seeds
      let report = try stage.run()
      #expect((0...1).contains(report.calibrationError ?? -1))
      return try #require(report.responses)
    }
    let (one, two, three) = (try report(seeds: 1), try report(seeds: 2), try report(seeds: 3))
    #expect(one.rougeLDeviation == nil && three.seeds == 3 && three.count == one.count)
    #expect(three.rougeLDeviation != nil && one.tokens < two.tokens && two.tokens < three.tokens)
    #expect(three.tokens - two.tokens != two.tokens - one.tokens || two.tokens != 2 * one.tokens)
    let responses = [0.2, 0.5, 0.8].map {
      EvaluationReport.Responses(rougeL: $0, exactMatch: $0 / 2, count: 4, tokens: 10, endedByEOS: 1)
    }
    let mean = try #require(EvaluationReport.mean(of: responses))
    #expect(abs(mean.rougeL - 0.5) < 1e-12 && abs(mean.exactMatch - 0.25) < 1e-12 && mean.tokens == 30)
    #expect(abs(try #require(mean.rougeLDeviation) - 0.3) < 1e-12 && mean.count == 4)
    stage.answering.temperature = 0
    expectDiagnostic(field: "seeds", saying: "greedy responses are the same") { _ = try stage.run() }
    var table = Comparison(
      data: DataFiles(world.validation), teacher: world.teacher, models: [.init(name: "student", model: world.student)],
      output: world.folder.file("table"))
    table.maximumNewTokens = 8
    (table.answering.temperature, table.answering.seeds) = (1, 2)
    #expect(try table.run().text.contains(" +- 0."))
  }

  @Test("a regenerated version scores the positions that predict generated tokens") func regenerates() throws {
    var stage = Regeneration(
      student: world.student, teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(),
      replay: world.folder.file("replay"), decoding: Self.decoding)
    stage.topK = 8
    let outcome = try stage.run()
    #expect((outcome.version, outcome.samples) == (1, 24))
    let version = try ReplayStore(directory: stage.replay).open(version: 1)
    for index in 0..<version.count {
      let sample = try version.sample(at: index)
      let generated = sample.scored.sequence.scoredPositions.count
      #expect(sample.scored.signal.positionCount == generated)
      #expect(sample.endedByEOS == (sample.scored.sequence.tokenIDs.last == 0))
      #expect(generated <= Self.decoding.maximumNewTokens)
    }
    // As after a kill between the publication and what a pipeline writes of it.
    #expect(try stage.run() == outcome, "made from the very same, it is the same version")
    stage.seed = 2
    #expect(try stage.run().version == 2)
    let store = try ReplayStore(directory: stage.replay)
    #expect(Set(try store.versions().map(\.content)).count == 2)
  }

  @Test("a model lies at no distance from itself, and at some from another") func evaluates() throws {
    var evaluation = ModelEvaluation(model: world.teacher, data: DataFiles(world.validation), format: RowFormat())
    evaluation.teacher = .model(world.teacher)
    evaluation.generate = true
    evaluation.maximumNewTokens = 6
    let own = try evaluation.run()
    #expect(abs(own.teacher?.forwardKL ?? 1) < 1e-6 && own.teacher?.top1Agreement == 1)
    #expect(own.responses?.count == 6)
    evaluation.model = world.student
    #expect(try evaluation.run().teacher?.forwardKL ?? 0 > 0.01)
  }

  @Test("a value out of bounds that was set in code is refused before anything is done") func bounds() throws {
    let absent = DataFiles("/nowhere.jsonl")
    var precompute = Precompute(teacher: "/nowhere", data: absent, cache: world.folder.file("cache"))
    precompute.tokensPerBatch = 0
    expectDiagnostic(field: "batch_tokens", saying: "is 0, but must be from 1 to") { _ = try precompute.run() }
    precompute.format.maximumLength = 1
    expectDiagnostic(field: "max_length", saying: "is 1, but must be from 2 to") { _ = try precompute.forecast() }
    var inference = BatchInference(model: "/nowhere", data: absent, output: world.folder.file("out.jsonl"))
    inference.decoding.topP = 0
    expectDiagnostic(field: "top_p", saying: "is 0.0, but must be from 1e-06 to 1.0") { _ = try inference.run() }
    var regeneration = Regeneration(student: "/nowhere", teacher: "/nowhere", data: absent, replay: "/nowhere")
    regeneration.batchSize = 0
    expectDiagnostic(field: "batch_size", saying: "is 0") { _ = try regeneration.run() }
    var evaluation = ModelEvaluation(model: "/nowhere", data: absent)
    evaluation.limit = 0
    expectDiagnostic(field: "limit", saying: "is 0") { _ = try evaluation.run() }
    let text = "{student: {from: /nowhere}, data: {train: /nowhere.jsonl}, training: {steps: 1}}"
    var training = StudentTraining(
      try ConfigurationFile(text: text, path: "train.yaml").decode(TrainingConfiguration.self),
      output: world.folder.file("run"))
    training.configuration.training.epochs = 1
    expectDiagnostic(field: "training", saying: "give exactly one of `steps` and `epochs`") { _ = try training.run() }
    training.configuration.training.epochs = nil
    training.configuration.training.dropout = 1
    expectDiagnostic(field: "training.dropout", saying: "is 1.0") { _ = try training.run() }
    #expect(!File.exists(world.folder.file("run")))
  }

  @Test("what the README shows") func readme() throws {
    _ = try precompute("cache").run()
    let text = """
      student: {from: \(world.student)}
      teacher: {cache: \(world.folder.file("cache"))}
      data: {train: \(world.train)}
      objective: {name: skl}
      training: {steps: 1, batch_size: 2}
      """
    let configuration = try ConfigurationFile(text: text, path: "train.yaml").decode(TrainingConfiguration.self)
    var training = StudentTraining(configuration, output: world.folder.file("run"))
    training.resume = true
    #expect(try training.run().steps == 1)
    var evaluation = ModelEvaluation(
      model: RunFolder(training.output).last, data: DataFiles(world.validation))
    evaluation.teacher = .model(world.teacher)
    #expect(try evaluation.run().perplexity > 1)
  }

  private static let decoding: DecodingConfiguration = {
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = 10
    return decoding
  }()
}
