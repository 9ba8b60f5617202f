import Configuration
import Files
import Fixtures
import Methods
import Models
import RandomStreams
import Samples
import Sequences
import Teachers
import Tensor
import TestSupport
import Testing
import Tokenizers
import Training

/// A student and another model beside it, each fine-tuned on the same examples by one step: the smallest method that trains
/// two.
private final class TwoModels: Method {
  private let methods: [SupervisedFineTuning]
  let trained: [TrainedParameters]
  var state = MethodState()

  init(_ student: any CausalLanguageModel, _ other: any CausalLanguageModel, vocabulary: Int) {
    methods = [student, other].map { SupervisedFineTuning($0, vocabulary: vocabulary) }
    trained = [
      TrainedParameters(TrainedParameters.student, student.parameters), TrainedParameters("other", other.parameters),
    ]
    state.numbers["steps"] = 0
    state.streams["noise"] = RandomStream(seed: 1, name: "noise")
  }

  func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    state.numbers["steps", default: 0] += 1
    _ = state.streams["noise"]?.next()
    let losses = methods.map { method in arena.scratch { method.accumulate(batch, scale: scale, in: arena) } }
    var loss = losses[0]
    loss.terms.append(.init("other_cross_entropy", weight: 1, sum: losses[1].terms[0].sum))
    return loss
  }

  func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    let parts = methods.map { $0.memory(teacher: nil) }
    return StepMemory { rows, scored in parts.map { $0.bytes(rows: rows, scored: scored) }.max()! }
  }
}

/// Several models take part in a step, in its optimizers and in its checkpoints.
@Suite("A method that trains two models") struct TwoModelStepTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 12) }

  private func model(_ path: String) throws -> any CausalLanguageModel {
    try ModelStore.load(path, trainable: true).model
  }

  private func examples(_ count: Int) throws -> [Example] {
    var stream = RandomStream(seed: 4, name: "examples")
    return (0..<count).map { _ in
      let sequence = TokenSequence(
        tokenIDs: (0..<12).map { _ in Int32(stream.below(300)) }, promptLength: 3)
      return Example(Lesson(sequence), name: "an example")
    }
  }

  @Test("each model's gradient is that of a step of its own, bit for bit") func gradientsAreIsolated() throws {
    let examples = try examples(5)
    let both = [try model(world.student), try model(world.teacher)]
    let loss = StepGradients(TwoModels(both[0], both[1], vocabulary: 300), microBatchTokens: 30).accumulate(examples)
    for (number, path) in [world.student, world.teacher].enumerated() {
      let alone = try model(path)
      let own = StepGradients(SupervisedFineTuning(alone, vocabulary: 300), microBatchTokens: 30).accumulate(examples)
      #expect(both[number].parameters.gradients!.array() == alone.parameters.gradients!.array())
      #expect(loss.terms[number].sum == own.terms[0].sum)
      #expect(both[number].parameters.gradients!.array().contains { $0 != 0 })
    }
  }

  private func samples() throws -> IndexedSamples {
    let folder = try IndexFolder(.temporary, named: "rows")
    let builder = try SampleBuilder(
      tokenizer: Tokenizer(directory: world.student), template: .plain, eosTokenID: 0, maximumLength: 96)
    let index = try SampleIndex(Dataset(DataFiles(world.train)), builder, folder: folder.path, threads: 1)
    return IndexedSamples(index: index, account: index.account, folder: folder)
  }

  /// A run of the method over the world's rows.
  private func run(in folder: RunFolder, steps: Int, resumed: Int?) throws {
    let lock = try folder.lock()
    defer { withExtendedLifetime(lock) {} }
    let student = try model(resumed.map(folder.checkpoint) ?? world.student), other = try model(world.teacher)
    let method = TwoModels(student, other, vocabulary: 300)
    let data = TrainingData([try samples()], weights: [1])
    let order = DataOrder(sampleCount: data.count, batchSize: 4, seed: 2)
    let training = try ConfigurationFile(
      text: "{steps: \(steps), batch_size: 4, learning_rate: 1.0e-3}", path: "test.yaml"
    ).decode(ScheduleConfiguration.self)
    let sizes = try MicroBatchSize.all(
      of: data, order: order, totalSteps: steps, longestOutput: nil, microBatchTokens: training.microBatchTokens)
    var checkpoints = CheckpointConfiguration()
    checkpoints.every = 2
    checkpoints.keep = 9
    let work = TrainingWork(
      trained: method.trained, training: training, validationSchedule: ValidationConfiguration(),
      checkpoints: checkpoints,
      bounds: TrainerState.Bounds(
        totalSteps: steps, initial: TrainerState(sampler: nil, dropout: RandomStream(seed: 2, name: "dropout")),
        hasDropout: false),
      forecast: MemoryForecast(method, teacher: nil, teacherBytes: 0, microBatches: sizes), summary: [])
    _ = try TrainingLoop(work, in: folder, resumed: resumed) { _ in
      LanguageLearner(
        student, method, learningFrom: DataExamples(data, order: order, teacher: nil), data: data, validation: nil,
        companions: [], endToken: nil, microBatchTokens: training.microBatchTokens)
    }
    .run()
  }

  @Test("a run goes on from a checkpoint to the same bytes: both models, both optimizers, the method's state")
  func resumes() throws {
    let whole = RunFolder(world.folder.file("whole")), cut = RunFolder(world.folder.file("cut"))
    try run(in: whole, steps: 6, resumed: nil)
    try run(in: cut, steps: 6, resumed: nil)
    for step in try cut.checkpointSteps() where step != 2 { try File.remove(cut.checkpoint(step: step)) }
    #expect(try cut.checkpointToResume(true) == 2)
    try run(in: cut, steps: 6, resumed: 2)
    let names = ["model", "optimizer", "other", "other.optimizer"].map { "\($0).safetensors" }
    for name in names { #expect(try File.read("\(cut.last)/\(name)") == File.read("\(whole.last)/\(name)"), "\(name)") }
    let state = String(decoding: try File.read("\(cut.last)/trainer_state.json"), as: UTF8.self)
    #expect(state.contains("\"noise\"") && state.contains("\"steps\" : 6"), "\(state)")
    #expect(
      try File.read("\(whole.last)/other.safetensors") != File.read("\(whole.checkpoint(step: 2))/other.safetensors"))
  }
}
