import Configuration
import Distillation
import Divergences
import Files
import Fixtures
import Methods
import Models
import RandomStreams
import Samples
import Sequences
import TeacherSignal
import Teachers
import Tensor
import TestSupport
import Testing
import Training

/// What must hold of every method, by one table: the names that an objective may have.
@Suite("Every method") struct MethodTableTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 24) }

  /// - Parameter isLive: Whether the teacher's states are computed and not kept.
  private func method(
    _ name: String, keys: String = "", on student: any CausalLanguageModel, isLive: Bool = false
  ) throws -> any Method {
    let settings = try ConfigurationFile(text: "{name: \(name)\(keys)}", path: "test.yaml").decode(MethodChoice.self)
      .settings
    let (teacher, keeping) = try teacher()
    let vocabulary = student.configuration.vocabularySize
    let partner = settings.needsPartner ? try ModelStore.load(world.teacher, trainable: true).model : nil
    return settings.method(
      of: MethodParts(
        student, vocabulary: vocabulary, partner: partner,
        columns: isLive ? [] : keeping.columns.filter { column in settings.columns.contains { $0.isMet(by: column) } },
        teacherHead: Head(reading: teacher.head, vocabulary: vocabulary)))
  }

  /// The world's teacher, and as one that keeps all that a method may read.
  private func teacher() throws -> (model: any CausalLanguageModel, keeping: any Teacher) {
    let loaded = try ModelStore.load(world.teacher, trainable: false)
    var columns = ColumnSettings()
    columns.hidden = .float32
    columns.anomaly = world.teacher
    columns.features = try mask(of: loaded)
    return (loaded.model, try OpenTeacher(loaded, topK: 12, columns: columns).teacher)
  }

  /// A mask of features of the teacher's last block, as a file.
  private func mask(of teacher: LoadedModel) throws -> String {
    let path = world.folder.file("mask.safetensors"), width = teacher.model.configuration.hiddenSize
    guard !File.exists(path) else { return path }
    let (means, mask) = (Storage(shape: [width]).tensor, Storage(shape: [width]).tensor)
    mask.fill(0.25)
    let layer = FeatureMask.Layer(
      block: 1, means: means, mask: Parameter(name: "mask", role: .undecayed, value: mask))
    try FeatureMask(teacher: teacher.fingerprint, layers: [layer]).write(to: path)
    return path
  }

  /// The world's student; of a method that looks into the embeddings, a layer of the teacher.
  private func student(_ name: String) throws -> any CausalLanguageModel {
    guard Self.live.contains(name) else { return try ModelStore.load(world.student, trainable: true).model }
    return try ModelStore.student(
      from: ModelStore.load(world.teacher, trainable: false).model, layers: [0], trainable: true)
  }

  /// Methods that need the teacher itself beside the student.
  private static let live: Set = ["kdiga"]

  /// Samples with what the teacher of the world says of them, of which the last have nothing that is scored.
  private func examples(_ count: Int, masked: Int = 0, for name: String) throws -> [Example] {
    let (model, keeping) = try teacher()
    let teacher: any Teacher =
      Self.live.contains(name) ? LiveTeacher(model, identity: keeping.identity) : keeping
    var stream = RandomStream(seed: 8, name: "method table")
    let sequences = (0..<count + masked).map { number in
      let tokens = (0..<9 + number).map { _ in Int32(stream.below(300)) }
      return TokenSequence(tokenIDs: tokens, promptLength: number < count ? 3 : tokens.count)
    }
    let asked = sequences.enumerated().map { AskedSequence($1, name: "row \($0)") }
    return try teacher.signals(for: asked).enumerated().map { Example($1, name: "row \($0)") }
  }

  /// - Parameter other: The method whose student takes the step; nil for its own.
  private func step(
    _ name: String, _ examples: [Example], keys: String = "", isLive: Bool = false, studentOf other: String? = nil,
    on given: (any CausalLanguageModel)? = nil
  ) throws -> (loss: StepLoss, gradient: [Float]) {
    let student = try given ?? student(other ?? name)
    let method = try method(name, keys: keys, on: student, isLive: isLive || Self.live.contains(name))
    student.parameters.gradients?.fill(0)
    let loss = method.accumulate(MicroBatch(examples[...]), scale: 0.01, in: Arena())
    return (loss, try #require(student.parameters.gradients).array())
  }

  @Test("examples without a scored position add nothing, alone and beside others", arguments: MethodChoice.names)
  func masked(name: String) throws {
    let alone = try step(name, examples(0, masked: 3, for: name))
    #expect(alone.loss.scoredPositions == 0 && alone.loss.offender == nil && alone.loss.objective == 0)
    #expect(alone.gradient.allSatisfy { $0 == 0 })
    let without = try step(name, examples(4, for: name)), with = try step(name, examples(4, masked: 2, for: name))
    #expect(with.loss.scoredPositions == without.loss.scoredPositions)
    expectClose(with.loss.objective, without.loss.objective, absolute: 1e-12)
    expectClose(with.gradient, without.gradient, absolute: 1e-7, relative: 1e-5)
  }

  @Test("the order of a batch changes nothing but rounding", arguments: MethodChoice.names)
  func permuted(name: String) throws {
    let all = try examples(5, for: name)
    let forward = try step(name, all), backward = try step(name, all.reversed())
    expectClose(forward.loss.objective, backward.loss.objective, relative: 1e-12)
    // Slopes of slopes are differences of fp32 passes.
    expectClose(forward.gradient, backward.gradient, absolute: name == "kdiga" ? 3e-6 : 1e-7, relative: 1e-4)
    #expect(forward.gradient.contains { $0 != 0 } && forward.gradient.allSatisfy(\.isFinite))
  }

  @Test(
    "the gradient is linear in the scale, and nothing flows into what the teacher says", arguments: MethodChoice.names)
  func isolated(name: String) throws {
    let all = try examples(3, for: name)
    let before = Self.live.contains(name) ? [] : all.map { $0.lesson.kept.signal }
    let student = try student(name)
    let method = try method(name, on: student)
    let weights = student.parameters.values.array()
    student.parameters.gradients?.fill(0)
    for _ in 0..<2 { _ = method.accumulate(MicroBatch(all[...]), scale: 0.01, in: Arena()) }
    let twice = try #require(student.parameters.gradients).array()
    #expect(student.parameters.values.array() == weights)
    if !before.isEmpty { #expect(all.map { $0.lesson.kept.signal } == before) }
    expectClose(twice, try step(name, all).gradient.map { 2 * $0 }, absolute: 1e-7, relative: 1e-5)
  }

  @Test(
    "nothing flows into a teacher that runs beside the student, though it could be trained",
    arguments: MethodChoice.names.filter { $0 != "robustkd" })
  func liveTeacher(name: String) throws {
    let loaded = try ModelStore.load(world.teacher, trainable: true), teacher = loaded.model
    let gradients = try #require(teacher.parameters.gradients), weights = teacher.parameters.values.array()
    gradients.fill(0)
    let live = LiveTeacher(teacher, identity: try OpenTeacher(loaded, topK: 12).teacher.identity)
    let asked = try examples(4, for: name).enumerated().map {
      AskedSequence($1.lesson.sequence, name: "row \($0)")
    }
    let all = try live.signals(for: asked).map { Example($0, name: "live") }
    let first = try step(name, all, isLive: true), second = try step(name, all, isLive: true)
    #expect(gradients.array().allSatisfy { $0 == 0 } && teacher.parameters.values.array() == weights)
    #expect(first.gradient == second.gradient && first.gradient.contains { $0 != 0 })
    #expect(first.loss.offender == nil && first.loss.objective.isFinite)
  }

  @Test(
    "a student whose layers are used twice gets the gradients of both uses, added up", arguments: MethodChoice.names)
  func shared(name: String) throws {
    let all = try examples(4, for: name)
    let unrolled = try ModelStore.student(from: student(name), layers: [0, 0], trainable: true)
    let tied = try ModelStore.share(
      student(name), LayerSharing(layers: 1, swapsQueriesAndKeys: false), training: .all)
    let one = try step(name, all, on: unrolled), both = try step(name, all, on: tied)
    #expect(both.loss == one.loss && both.gradient.contains { $0 != 0 })
    for parameter in tied.parameters.parameters {
      let upper = parameter.name.replacing("layers.0.", with: "layers.1.")
      var sum = try #require(unrolled.parameters[parameter.name].gradient).array()
      if upper != parameter.name {
        sum = zip(sum, try #require(unrolled.parameters[upper].gradient).array()).map(+)
      }
      expectClose(
        try #require(parameter.gradient).array(), sum, absolute: name == "kdiga" ? 3e-6 : 1e-7, relative: 1e-4,
        "\(name), \(parameter.name)")
    }
  }

  @Test("with a weight of nothing on the divergence it is fine-tuning, to the bit", arguments: MethodChoice.names)
  func switchedOff(name: String) throws {
    let all = try examples(4, for: name)
    if name == "distillm-2" {
      // Of its two parts the one on the teacher's texts is skew KL.
      let half = try step(name, all, keys: ", first_beta: 0, last_beta: 0, adapts_from: 1")
      #expect(half.gradient == (try step("skl", all)).gradient)
    }
    if name == "minillm" {
      // Without the teacher's say and what a token leads to it is reverse KL of single steps.
      let single = try step(name, all, keys: ", teacher_mix: 0, long_weight: 0")
      #expect(single.gradient == (try step("rkl", all)).gradient)
    }
    if name == "okd" {
      // With a module that stays it is the divergence.
      #expect(try step(name, all, keys: ", module_rate: 0").gradient == step("rkl", all).gradient)
    }
    if name == "fkl" {
      // A gate that leaves nothing out is none.
      #expect(try step(name, all, keys: ", gate: {share: 0}").gradient == step(name, all).gradient)
    }
    if name == "robustkd" {
      #expect(try step(name, all, keys: ", feature_weight: 0").gradient == step("sft", all).gradient)
    }
    guard !["sft", "opd", "distillm-2", "minillm", "ptp", "robustkd"].contains(name) else { return }
    let others = ["ctcd": ", alpha: 0", "mixkd": ", mix_weight: 0", "kdiga": ", gradient_weight: 0"][name] ?? ""
    let off = try step(name, all, keys: "\(others), divergence_weight: 0, cross_entropy_weight: 1")
    #expect(off.gradient == (try step("sft", all, studentOf: name)).gradient)
  }

  @Test("DistiLLM-2 gives each text the skew that it says, and is the sum over texts") func skews() throws {
    let all = try examples(4, for: "distillm-2")
    let student = try student("distillm-2")
    let method = try method("distillm-2", keys: ", least_alpha: 0.0001, alpha: 0.9", on: student)
    let gradients = try #require(student.parameters.gradients)
    func take(_ examples: [Example], at progress: Double) -> (loss: StepLoss, gradient: [Float]) {
      gradients.fill(0)
      let loss = method.accumulate(MicroBatch(examples[...], progress: progress), scale: 0.01, in: Arena())
      return (loss, gradients.array())
    }
    #expect(abs(take(all, at: 0).loss.mean("alpha") - 0.9) < 1e-6)
    let measured = method.state
    let whole = take(all, at: 0.5)
    var sum = [Float](repeating: 0, count: whole.gradient.count), alphas: Set<Double> = []
    for example in all {
      let alpha = take([example], at: 0.5).loss.mean("alpha")
      alphas.insert(alpha)
      // Half way the teacher's texts weigh a quarter.
      let part = try step("skl", [example], keys: ", alpha: \(Float(alpha)), divergence_weight: 0.25").gradient
      for index in sum.indices { sum[index] += part[index] }
    }
    #expect(alphas.count > 1 && method.state == measured && !measured.isEmpty)
    expectClose(whole.gradient, sum, absolute: 1e-7, relative: 1e-4)
  }

  @Test("a run that is cut off goes on to the same bytes", arguments: MethodChoice.names)
  func resumes(name: String) throws {
    let cache = world.folder.file("cache")
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: cache)
    stage.topK = 8
    stage.columns.hidden = .bfloat16
    stage.columns.features = try mask(of: ModelStore.load(world.teacher, trainable: false))
    _ = try stage.run()
    let settings = try ConfigurationFile(
      text: """
        student: \(Self.live.contains(name) ? "{layers: [0]}" : "{from: \(world.student)}")
        \(name == "ctcd" ? "partner: {from: \(world.teacher)}" : "")
        teacher: {model: \(world.teacher), \(["mixkd", "kdiga"].contains(name) ? "live: true" : "cache: \(cache)")}
        data: {train: \(world.train)}
        source: \(["distillm-2": "paired", "minillm": "on-policy"][name] ?? "fixed")
        replay: {max_new_tokens: 6\(name == "distillm-2" ? ", round: 4" : "")}
        objective: {name: \(name)}
        training: {steps: 6, batch_size: 4, dropout: 0.1, log_every: 1}
        checkpoints: {every: 3}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    let whole = world.folder.file("whole"), cut = world.folder.file("cut")
    _ = try Trainer.train(settings, output: whole, resume: false)
    _ = try Trainer.train(settings, output: cut, resume: false)
    try File.remove(RunFolder(cut).checkpoint(step: 6))
    _ = try Trainer.train(settings, output: cut, resume: true)
    let beside =
      ["okd": ["online_module"], "robustkd": ["feature_maps"]][name].map { $0 + ["\($0[0]).optimizer"] } ?? []
    for file in ["metrics.jsonl"] + (["model"] + beside).map({ "checkpoints/last/\($0).safetensors" }) {
      #expect(try File.read("\(cut)/\(file)") == File.read("\(whole)/\(file)"))
    }
  }
}
