import Configuration
import Diagnostics
import Distillation
import Divergences
import Files
import Fixtures
import JSON
import Methods
import Models
import RandomStreams
import Samples
import Sequences
import Teachers
import Tensor
import TestSupport
import Testing
import Training

/// Two models that learn from each other in one step.
@Suite("Co-distillation") struct CoDistillationTests {
  private let world: TinyWorld
  private let cache: String

  init() throws {
    world = try TinyWorld(rows: 24)
    cache = world.folder.file("cache")
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: cache)
    stage.topK = 8
    _ = try stage.run()
  }

  /// A run with dropout, and gradients that are clipped at most steps.
  private func run(
    _ objective: String, as name: String, student: String? = nil, partner: String? = nil, teacher: Bool = false,
    resume: Bool = false
  ) throws -> String {
    let run = world.folder.file(name)
    let settings = try ConfigurationFile(
      text: """
        student: \(student ?? "{from: \(world.student)}")
        \(partner.map { "partner: \($0)" } ?? "")
        \(teacher ? "teacher: {cache: \(cache)}" : "")
        data: {train: \(world.train)}
        objective: \(objective)
        training: {steps: 6, batch_size: 4, dropout: 0.1, gradient_clip: 0.5, learning_rate: 1.0e-2, log_every: 1}
        checkpoints: {every: 3}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: run, resume: resume)
    return RunFolder(run).last
  }

  private var large: String { "{from: \(world.teacher)}" }

  private func expectEqual(_ a: String, _ b: String) throws {
    #expect(try File.read(a) == File.read(b), "\(a) is not \(b)")
  }

  @Test("with alpha 0 it is two runs of their own, bit for bit, fine-tuned or taught", arguments: [false, true])
  func apart(taught: Bool) throws {
    let weight = taught ? 1 : 0
    let both = try run(
      "{name: ctcd, alpha: 0, divergence_weight: \(weight)}", as: "both", partner: large, teacher: taught)
    let alone = taught ? "{name: fkl, cross_entropy_weight: 1}" : "{name: sft}"
    let small = try run(alone, as: "small", teacher: taught)
    let large = try run(alone, as: "large", student: large, teacher: taught)
    try expectEqual("\(both)/model.safetensors", "\(small)/model.safetensors")
    try expectEqual("\(both)/optimizer.safetensors", "\(small)/optimizer.safetensors")
    try expectEqual("\(both)/partner/model.safetensors", "\(large)/model.safetensors")
    try expectEqual("\(both)/partner.optimizer.safetensors", "\(large)/optimizer.safetensors")
    // And learning from each other is something else.
    let together = try run("{name: ctcd}", as: "together", partner: self.large)
    #expect(try File.read("\(together)/model.safetensors") != File.read("\(small)/model.safetensors"))
    #expect(try File.read("\(together)/partner/model.safetensors") != File.read("\(large)/model.safetensors"))
  }

  private func model(_ path: String) throws -> any CausalLanguageModel {
    try ModelStore.load(path, trainable: true).model
  }

  @Test("each learns from the other as from a live teacher that is frozen, and nothing flows from one into the other")
  func isolated() throws {
    var stream = RandomStream(seed: 4, name: "examples")
    let sequences = (0..<5).map { _ in
      TokenSequence(tokenIDs: (0..<12).map { _ in Int32(stream.below(300)) }, promptLength: 3)
    }
    let asked = sequences.map { AskedSequence($0, name: "an example") }
    var settings = CoDistillation.Settings()
    (settings.alpha, settings.temperature, settings.crossEntropyWeight) = (0.7, 2, 0.4)
    let models = try [world.student, world.teacher].map(model)
    let plain = sequences.map { Example(Lesson($0), name: "an example") }
    let loss = StepGradients(CoDistillation(models[0], models[1], settings, vocabulary: 300), microBatchTokens: 30)
      .accumulate(plain)
    for (own, paths) in [(world.student, world.teacher), (world.teacher, world.student)].enumerated() {
      let learner = try model(paths.0), teacher = try ModelStore.load(paths.1, trainable: true)
      let live = LiveTeacher(teacher.model, identity: try OpenTeacher(teacher, topK: 4).teacher.identity)
      var known = DivergenceDistillation.Settings(.fkl)
      (known.divergenceWeight, known.temperature, known.crossEntropyWeight) = (0.7, 2, 0.4)
      let examples = try live.signals(for: asked).map { Example($0, name: "an example") }
      let alone = StepGradients(DivergenceDistillation(learner, known, vocabulary: 300), microBatchTokens: 30)
        .accumulate(examples)
      #expect(models[own].parameters.gradients!.array() == learner.parameters.gradients!.array())
      #expect(learner.parameters.gradients!.array().contains { $0 != 0 })
      let prefix = own == 0 ? "" : "partner_"
      #expect(loss.mean("\(prefix)peer") == alone.mean("divergence") && alone.mean("divergence") > 0)
      #expect(loss.mean("\(prefix)cross_entropy") == alone.mean("cross_entropy"))
    }
  }

  @Test("with a teacher beside, the gradient is the sum of what teacher, data and the other one ask for")
  func community() throws {
    let examples = try taught(6)
    func gradients(_ weights: (alpha: Float, divergence: Float, data: Float)) throws -> [[Float]] {
      var settings = CoDistillation.Settings()
      (settings.alpha, settings.divergenceWeight, settings.crossEntropyWeight) = weights
      let models = try [world.student, world.teacher].map(model)
      _ = CoDistillation(models[0], models[1], settings, vocabulary: 300)
        .accumulate(MicroBatch(examples[...]), scale: 0.1, in: Arena())
      return models.map { $0.parameters.gradients!.array() }
    }
    let whole = try gradients((0.5, 0.8, 0.3))
    let parts = [try gradients((0, 0.8, 0)), try gradients((0.5, 0, 0.3))]
    for own in 0..<2 {
      expectClose(whole[own], zip(parts[0][own], parts[1][own]).map(+), absolute: 1e-6, relative: 1e-4)
    }
  }

  /// Samples with what the world's teacher says of them.
  private func taught(_ count: Int) throws -> [Example] {
    let teacher = try OpenTeacher(ModelStore.load(world.teacher, trainable: false), topK: 12).teacher
    var stream = RandomStream(seed: 9, name: "examples")
    let asked = (0..<count).map { number in
      let tokens = (0..<9 + number).map { _ in Int32(stream.below(300)) }
      return AskedSequence(TokenSequence(tokenIDs: tokens, promptLength: 3), name: "row \(number)")
    }
    return try teacher.signals(for: asked).map { Example($0, name: "a row") }
  }

  @Test("a checkpoint keeps the partner as a model, and a run goes on only from one that is whole") func checkpoint()
    throws
  {
    let last = try run("{name: ctcd}", as: "kept", partner: large)
    let whole = try File.read("\(last)/partner/model.safetensors")
    #expect(try ModelStore.load("\(last)/partner", trainable: false).model.configuration.hiddenSize == 32)
    #expect(File.exists("\(last)/partner/tokenizer.json"))
    let folder = RunFolder(world.folder.file("kept"))
    try File.remove(folder.checkpoint(step: 6))
    let half = "\(folder.checkpoint(step: 3))/partner/model.safetensors"
    let sound = try File.read(half)
    var damaged = sound
    damaged[damaged.count - 5] ^= 1
    try File.write(damaged, to: half)
    expectDiagnostic(.failure, file: half, saying: "is not what was written") {
      _ = try run("{name: ctcd}", as: "kept", partner: large, resume: true)
    }
    try File.write(sound, to: half)
    _ = try run("{name: ctcd}", as: "kept", partner: large, resume: true)
    #expect(try File.read("\(last)/partner/model.safetensors") == whole)
  }

  @Test(
    "what does not fit is refused by name",
    arguments: [
      ("{name: ctcd}", nil, "partner", "trains two models, and there is one"),
      ("{name: sft}", "{config: {model_type: llama}}", "partner", "trains the student alone"),
      ("{name: ctcd, alpha: -1}", "{layers: [0]}", "objective", "must not be negative"),
      ("{name: ctcd, cross_entropy_weight: 0}", "{layers: [0]}", "objective", "learn nothing"),
      (
        "{name: ctcd}", "{config: {model_type: llama}, tokenizer: elsewhere}", "partner.tokenizer",
        "what the student reads"
      ),
      ("{name: ctcd}", "{config: {model_type: llama, vocab_size: 4}}", "partner.config.hidden_size", "missing"),
    ])
  func refused(objective: String, partner: String?, field: String, saying: String) {
    expectDiagnostic(field: field, saying: saying) { _ = try run(objective, as: "refused", partner: partner) }
  }

  @Test("a partner of fewer ids than the tokenizer, or of a shorter context than the rows, is refused") func tooSmall()
    throws
  {
    func partner(vocabulary: Int, context: Int) -> String {
      "{config: {model_type: llama, vocab_size: \(vocabulary), hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, "
        + "num_attention_heads: 1, max_position_embeddings: \(context)}}"
    }
    expectDiagnostic(field: "partner", saying: "the partner 200") {
      _ = try run("{name: ctcd}", as: "few", partner: partner(vocabulary: 200, context: 96))
    }
    expectDiagnostic(saying: "the partner") {
      _ = try run("{name: ctcd}", as: "short", partner: partner(vocabulary: 300, context: 4))
    }
  }
}
