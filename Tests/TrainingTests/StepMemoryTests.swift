import Divergences
import Fingerprints
import JSON
import Methods
import Models
import NN
import RandomStreams
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing
import Training

/// A step of some kind of student with some kind of teacher.
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
  ///
  /// - Parameter classifies: Whether it is one of pre-training with the teacher's predictions.
  func step(dropout: Float = 0.1, classifies: Bool = false) throws -> (step: StepGradients, memory: StepMemory) {
    let student = try model(width: 32, layers: 3, trainable: true)
    student.recomputing = recomputing
    student.dropout = Dropout(
      embedding: dropout, residual: dropout, stream: RandomStream(seed: 1, name: "dropout"))
    let teacher = live ? try liveTeacher() : nil
    let method: any Method =
      classifies
      ? TeacherPredictionPretraining(student, .init(), seed: 1)
      : DivergenceDistillation(student, .init(.fkl), vocabulary: Self.vocabulary)
    return (StepGradients(method, microBatchTokens: 8192), method.memory(teacher: teacher))
  }

  /// The same with a module of the teacher's that learns beside the student.
  func stepWithModule() throws -> (step: StepGradients, memory: StepMemory) {
    let student = try model(width: 32, layers: 3, trainable: true)
    let teacher = try model(width: 48, layers: 4, trainable: false)
    let method = OnlineDistillation(
      MethodParts(
        student, vocabulary: Self.vocabulary, columns: live ? [] : [Self.hidden],
        teacherHead: Head(reading: teacher.head, vocabulary: Self.vocabulary)), OnlineDistillation.Settings())
    return (
      StepGradients(method, microBatchTokens: 8192), method.memory(teacher: live ? try liveTeacher() : nil)
    )
  }

  /// The same with features of two of the teacher's layers in the place of its log-probs.
  func stepWithFeatures() throws -> (step: StepGradients, memory: StepMemory) {
    let student = try model(width: 32, layers: 3, trainable: true)
    let method = FeatureDistillation(
      MethodParts(student, vocabulary: Self.vocabulary, columns: Self.features), FeatureDistillation.Settings())
    return (StepGradients(method, microBatchTokens: 8192), method.memory(teacher: nil))
  }

  private static let features = [1, 3].map {
    ColumnDeclaration("features/\($0)", .position, width: 48, maker: "mask")
  }
  private static let hidden = ColumnDeclaration("hidden", .position, width: 48, maker: "final-norm")

  func liveTeacher() throws -> LiveTeacher {
    let model = try model(width: 48, layers: 4, trainable: false)
    return LiveTeacher(
      model,
      identity: TeacherIdentity(
        model: Fingerprint(of: "teacher"), numerics: Numerics(precision: "fp32", kernels: Engine.variant),
        tokenizer: Fingerprint(of: "tokenizer"), vocabularySize: Self.vocabulary, place: "here"))
  }

  func examples(_ lengths: [Int]) throws -> [Example] {
    let live = live ? try liveTeacher() : nil
    let teacher = SyntheticTeacher(vocabularySize: Self.vocabulary, topK: 8)
    var stream = RandomStream(seed: 6, name: "examples")
    return lengths.map { length in
      let plain = teacher.sample(length: length, promptLength: promptLength, &stream)
      let sample = ScoredSample(
        plain.sequence, signal: plain.signal,
        columns: ([Self.hidden] + Self.features).map {
          $0.column(Array(repeating: 0.5, count: 48 * plain.positions.count))
        })
      return Example(live.map { Lesson(sample.sequence, live: $0) } ?? Lesson(sample), name: "")
    }
  }
}

@Suite("The memory of a step") struct MemoryForecastTests {
  private static let lengths = [[20], [64, 13, 40], Array(repeating: 61, count: 20)]

  @Test(
    "a step takes what was forecast, within 5 %, and one allocation where that is reserved", arguments: StepCase.all,
    lengths)
  func step(_ its: StepCase, _ lengths: [Int]) throws { try expectForecast(its, lengths) }

  @Test("so does one that classifies what the teacher says", arguments: StepCase.all, lengths)
  func classifying(_ its: StepCase, _ lengths: [Int]) throws { try expectForecast(its, lengths, classifies: true) }

  private func expectForecast(_ its: StepCase, _ lengths: [Int], classifies: Bool = false) throws {
    let (step, memory) = try its.step(classifies: classifies)
    let examples = try its.examples(lengths)
    let scored = lengths.reduce(0) {
      $0 + ScoredPositions.response(promptLength: its.promptLength, tokenCount: $1).count
    }
    let forecast = memory.bytes(rows: lengths.reduce(0, +) - lengths.count, scored: scored)
    step.arena.reserve(bytes: forecast + forecast / 50)
    _ = step.accumulate(examples)
    expectClose(Double(step.arena.peakBytes), Double(forecast), relative: 0.05, "\(its) \(lengths)")
    #expect(step.arena.allocations == 1)
  }

  @Test(
    "so does one of two models that learn from each other, with a teacher beside them or without",
    arguments: StepCase.all,
    [[20], Array(repeating: 61, count: 20)])
  func coDistillation(_ its: StepCase, _ lengths: [Int]) throws {
    let models = try [(32, 3), (48, 2)].map { try its.model(width: $0.0, layers: $0.1, trainable: true) }
    for model in models { model.recomputing = its.recomputing }
    var settings = CoDistillation.Settings()
    // Without a live teacher, without any.
    settings.divergenceWeight = its.live ? 1 : 0
    let method = CoDistillation(models[0], models[1], settings, vocabulary: StepCase.vocabulary)
    let memory = method.memory(teacher: its.live ? try its.liveTeacher() : nil)
    let step = StepGradients(method, microBatchTokens: 8192)
    _ = try step.accumulate(its.examples(lengths))
    let scored = lengths.reduce(0) {
      $0 + ScoredPositions.response(promptLength: its.promptLength, tokenCount: $1).count
    }
    let forecast = memory.bytes(rows: lengths.reduce(0, +) - lengths.count, scored: scored)
    expectClose(Double(step.arena.peakBytes), Double(forecast), relative: 0.05, "\(its) \(lengths)")
  }

  @Test(
    "so does one with a module of the teacher's", arguments: [false, true], [[20], Array(repeating: 61, count: 20)])
  func module(live: Bool, lengths: [Int]) throws {
    let its = StepCase(family: "llama", recomputing: false, live: live, promptLength: 0)
    let (step, memory) = try its.stepWithModule()
    let forecast = memory.bytes(
      rows: lengths.reduce(0, +) - lengths.count, scored: lengths.reduce(0, +) - lengths.count)
    _ = try step.accumulate(its.examples(lengths))
    expectClose(Double(step.arena.peakBytes), Double(forecast), relative: 0.05, "\(its) \(lengths)")
  }

  @Test("and one that learns from features", arguments: [0, 11], [[20], Array(repeating: 61, count: 20)])
  func features(promptLength: Int, lengths: [Int]) throws {
    let its = StepCase(family: "llama", recomputing: false, live: false, promptLength: promptLength)
    let (step, memory) = try its.stepWithFeatures()
    let rows = lengths.reduce(0, +) - lengths.count
    let scored = lengths.reduce(0) { $0 + ScoredPositions.response(promptLength: promptLength, tokenCount: $1).count }
    let forecast = memory.bytes(rows: rows, scored: scored)
    _ = try step.accumulate(its.examples(lengths))
    expectClose(Double(step.arena.peakBytes), Double(forecast), relative: 0.05, "\(its) \(lengths)")
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
    _ = SupervisedFineTuning(student, vocabulary: StepCase.vocabulary).memory(teacher: nil)
    #expect(student.parameters.values.array() == before)
    #expect(student.parameters.gradients!.array().allSatisfy { $0.bitPattern == 0 })
    #expect(student.dropout?.stream == stream)
  }
}
