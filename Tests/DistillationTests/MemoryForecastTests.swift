import Configuration
import Distillation
import Divergences
import Evaluation
import Files
import Fixtures
import Generation
import JSON
import Models
import NN
import RandomStreams
import Sequences
import TeacherSignal
import Tensor
import TestSupport
import Testing

/// What a step of some kind of student with some kind of teacher takes.
struct StepCase: Sendable, CustomTestStringConvertible {
  var family: String
  var recomputing: Bool
  var live: Bool
  var promptLength: Int

  var testDescription: String {
    "\(family)\(recomputing ? ", recomputing" : "")\(live ? ", live teacher" : ""), prompts of \(promptLength)"
  }

  static let all = ["gpt2", "llama"].flatMap { family in
    [false, true].flatMap { recomputing in
      [false, true].flatMap { live in
        [0, 11].map { StepCase(family: family, recomputing: recomputing, live: live, promptLength: $0) }
      }
    }
  }

  static let vocabulary = 700

  func model(width: Int, layers: Int, trainable: Bool) throws -> any CausalLanguageModel {
    let configurations: [String: JSONObject] = [
      "gpt2": [
        "model_type": "gpt2", "n_embd": JSONValue(width), "n_head": 4, "n_layer": JSONValue(layers), "n_positions": 64,
        "vocab_size": JSONValue(Self.vocabulary),
      ],
      "llama": [
        "model_type": "llama", "vocab_size": JSONValue(Self.vocabulary), "hidden_size": JSONValue(width),
        "intermediate_size": JSONValue(3 * width), "num_hidden_layers": JSONValue(layers), "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000,
        "hidden_act": "silu", "tie_word_embeddings": true, "initializer_range": 0.02,
      ],
    ]
    var stream = RandomStream(seed: UInt64(width), name: "initialization")
    return try ModelStore.make(configurations[family]!, stream: &stream, trainable: trainable)
  }

  /// A step with its forecast and a batch of samples of those lengths.
  func step(dropout: Float = 0.1) throws -> (step: StudentStep, memory: StepMemory) {
    let student = try model(width: 32, layers: 3, trainable: true)
    student.recomputing = recomputing
    student.dropout = Dropout(
      embedding: dropout, residual: dropout, stream: RandomStream(seed: 1, name: "dropout"))
    let teacher = live ? try model(width: 48, layers: 4, trainable: false) : nil
    var objective = ObjectiveConfiguration()
    objective.objective = .fkl
    let step = StudentStep(
      student: student, liveTeacher: teacher, objective: objective, vocabulary: Self.vocabulary, tokensPerPiece: 8192)
    let memory = StepMemory(
      student: student, liveTeacher: teacher, objective: objective, vocabulary: Self.vocabulary)
    return (step, memory)
  }

  func examples(_ lengths: [Int]) -> [TrainingExample] {
    let teacher = SyntheticTeacher(vocabularySize: Self.vocabulary, topK: 8)
    var stream = RandomStream(seed: 6, name: "examples")
    return lengths.map { length in
      let sample = teacher.sample(length: length, promptLength: promptLength, &stream)
      return TrainingExample(
        sequence: sample.sequence,
        signal: live ? nil : sample.signal, isStudentOutput: false, name: "")
    }
  }
}

@Suite("Memory is forecast") struct MemoryForecastTests {
  @Test(
    "a step takes what was forecast, within 5 %, and one allocation where that is reserved", arguments: StepCase.all,
    [[20], [64, 13, 40], Array(repeating: 61, count: 20)])
  func step(_ its: StepCase, _ lengths: [Int]) throws {
    let (step, memory) = try its.step()
    let examples = its.examples(lengths)
    let scored = lengths.reduce(0) {
      $0 + ScoredPositions.response(promptLength: its.promptLength, tokenCount: $1).count
    }
    let forecast = memory.bytes(rows: lengths.reduce(0, +) - lengths.count, scored: scored)
    step.arena.reserve(bytes: forecast + forecast / 50)
    _ = try step.accumulate(examples)
    expectClose(Double(step.arena.peakBytes), Double(forecast), relative: 0.05, "\(its) \(lengths)")
    #expect(step.arena.allocations == 1)
  }

  @Test("recomputing takes much less, whatever the teacher", arguments: ["gpt2", "llama"], [false, true])
  func recomputing(family: String, live: Bool) throws {
    let peaks = try [false, true].map { recomputing in
      let its = StepCase(family: family, recomputing: recomputing, live: live, promptLength: 11)
      let (step, _) = try its.step()
      _ = try step.accumulate(its.examples(Array(repeating: 61, count: 20)))
      return step.arena.peakBytes
    }
    #expect(Double(peaks[1]) < 0.6 * Double(peaks[0]), "\(peaks)")
  }

  @Test("forecasting leaves the student as it was, its gradients zero", arguments: [false, true])
  func leavesNoTrace(recomputing: Bool) throws {
    let its = StepCase(family: "gpt2", recomputing: recomputing, live: true, promptLength: 0)
    let student = try its.model(width: 32, layers: 2, trainable: true)
    let before = student.parameters.values.array()
    let stream = RandomStream(seed: 3, name: "dropout")
    student.dropout = Dropout(embedding: 0.2, residual: 0.2, stream: stream)
    student.recomputing = recomputing
    _ = StepMemory(
      student: student, liveTeacher: nil, objective: ObjectiveConfiguration(), vocabulary: StepCase.vocabulary)
    #expect(student.parameters.values.array() == before)
    #expect(student.parameters.gradients!.array().allSatisfy { $0.bitPattern == 0 })
    #expect(student.dropout?.stream == stream)
  }
}

/// The forecast of whole runs.
@Suite("A run's memory is forecast") struct RunMemoryTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 48) }

  private func configuration(
    training: String = "", extra: String = "", objective: String = "srkl"
  ) throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        teacher: {model: \(world.teacher), live: true}
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: \(objective)}
        training: {steps: 16, batch_size: 12, learning_rate: 3.0e-3, log_every: 1, dropout: 0.1\(training)}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  private func train(_ name: String, _ configuration: TrainingConfiguration) throws -> Trainer.Outcome {
    try Trainer.train(configuration, output: world.folder.file(name), resume: false)
  }

  @Test(
    "of all steps the largest piece counts, within 5 %",
    arguments: ["", ", recompute: true", ", micro_batch_tokens: 100", ", micro_batch_tokens: 1"])
  func largestPiece(training: String) throws {
    let configuration = try configuration(training: training)
    let outcome = try train("run", configuration)
    expectClose(Double(outcome.stepPeakBytes), Double(outcome.forecast.step), relative: 0.05, training)
    #expect(try MemoryForecast(configuration) == outcome.forecast)
  }

  @Test("models are counted with gradients and moments, and the parts make the sum") func models() throws {
    let forecast = try MemoryForecast(configuration())
    func bytes(_ path: String) throws -> Int {
      try ModelStore.load(path, trainable: false).model.parameters.values.count * 4
    }
    #expect(try forecast.parameters == bytes(world.student))
    #expect(forecast.gradients == forecast.parameters && forecast.optimizer == 2 * forecast.parameters)
    #expect(try forecast.teacher == bytes(world.teacher))
    #expect(forecast.total == 4 * forecast.parameters + forecast.teacher + forecast.step)
    #expect(forecast.tokens > 0 && forecast.step > 0)
  }

  @Test("student outputs are counted at their largest possible") func studentOutputs() throws {
    let outcome = try train(
      "replay", try configuration(extra: "replay: {initial_phi: 0.8, max_new_tokens: 60}"))
    #expect((outcome.sources[.fresh] ?? 0) > 0)
    #expect(outcome.stepPeakBytes <= outcome.forecast.step)
    #expect(try outcome.forecast.step > MemoryForecast(configuration()).step)
  }

  @Test("a run that recomputes ends in the bytes of one that does not, metrics included") func sameBytes() throws {
    let plain = try train("plain", try configuration())
    let recomputed = try train("recomputed", try configuration(training: ", recompute: true"))
    for file in ["checkpoints/last/model.safetensors", "metrics.jsonl"] {
      #expect(try File.read(world.folder.file("plain/\(file)")) == File.read(world.folder.file("recomputed/\(file)")))
    }
    #expect(recomputed.stepPeakBytes < plain.stepPeakBytes)
  }

  @Test("a run may go on recomputing, to the same bytes") func resumesRecomputing() throws {
    let plain = try configuration(extra: "checkpoints: {every: 5, keep: 9}")
    _ = try train("run", plain)
    let run = RunFolder(world.folder.file("run"))
    let weights = try File.read("\(run.last)/model.safetensors")
    for step in try run.checkpointSteps() where step != 5 { try File.remove(run.checkpoint(step: step)) }
    let recomputing = try configuration(training: ", recompute: true", extra: "checkpoints: {every: 5, keep: 9}")
    #expect(try Trainer.train(recomputing, output: run.path, resume: true).steps == 16)
    #expect(try File.read("\(run.last)/model.safetensors") == weights)
  }

  @Test("the log's line has every part that is there, in MiB") func line() {
    var forecast = MemoryForecast()
    (forecast.parameters, forecast.gradients, forecast.optimizer) = (116 << 20, 116 << 20, 231 << 20)
    forecast.step = 557 << 20
    #expect("\(forecast)" == "about 1,020 MiB expected: parameters 116, gradients 116, optimizer 231, step 557")
    forecast.teacher = 5 << 20
    #expect("\(forecast)".contains("optimizer 231, teacher 5, step 557"))
  }

  @Test("what does not fit is warned of, with what helps") func shortage() throws {
    var forecast = MemoryForecast()
    (forecast.parameters, forecast.step, forecast.tokens) = (100 << 20, 900 << 20, 4321)
    let plain = try configuration().training
    #expect(forecast.shortage(limit: 1000 << 20, training: plain) == nil)
    let warning = try #require(forecast.shortage(limit: 999 << 20, training: plain))
    for words in ["1,000 MiB expected", "999 MiB", "micro_batch_tokens below 4321", "training.recompute to true"] {
      #expect(warning.contains(words), "\(warning)")
    }
    let already = try configuration(training: ", recompute: true").training
    #expect(forecast.shortage(limit: 999 << 20, training: already)?.contains("recompute") == false)
    #expect(forecast.shortage(limit: 90 << 20, training: plain)?.contains("a smaller student") == true)
  }

  @Test("what decoding holds is said, and what does not fit is warned of with what helps") func inference() throws {
    var forecast = InferenceForecast(
      parameters: 100 << 20,
      decoding: DecodingMemory(
        batchSize: 8, capacity: 192, weights: 110 << 20, cache: 800 << 20, pass: 70 << 20, sampling: 10 << 20))
    #expect(
      "\(forecast)"
        == "up to 1,090 MiB expected: parameters 100, weights laid out 110, keys and values 800 (8 rows of 192 tokens), pass 80"
    )
    #expect(forecast.shortage(limit: 1090 << 20) == nil)
    let warning = try #require(forecast.shortage(limit: 1089 << 20))
    for words in ["1,090 MiB expected", "1,089 MiB available", "batch size to 7 or less"] {
      #expect(warning.contains(words), "\(warning)")
    }
    #expect(forecast.shortage(limit: 220 << 20)?.contains("a smaller model") == true)
    forecast.decoding.batchSize = 1
    #expect("\(forecast)".contains("(1 row of 192 tokens)"))
  }
}
