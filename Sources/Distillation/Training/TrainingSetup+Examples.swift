import Methods
import Models
import Replay
import Teachers
import Tokenizers
import Training

/// Where the examples of a run's steps come from, and who writes those that the student writes.
extension TrainingSetup {
  /// Where the examples of the steps behind a state come from.
  ///
  /// - Parameter folder: Holds the replay store, where the run has one.
  func examples(from state: TrainerState, in folder: RunFolder) throws -> any ExampleSource {
    let data = DataExamples(
      samples, order: Self.order(samples, configuration),
      teacher: configuration.objective.settings.needsTeacher ? try parts.teachers.ofData(vocabulary: vocabulary) : nil)
    if let mixing = configuration.objective.settings.mixing {
      let (teacher, plan) = try parts.teachers.ofMixtures(mixing, vocabulary: vocabulary)
      return AugmentedExamples(data, Mixtures(of: samples, teacher: teacher, plan: plan))
    }
    if let need = configuration.objective.settings.twins {
      let (teacher, plan) = try parts.teachers.ofTwins(need, vocabulary: vocabulary)
      return AugmentedExamples(data, Twins(of: samples, teacher: teacher, plan: plan))
    }
    guard let replay = configuration.outputs, let regenerator = try regenerator(of: student) else { return data }
    if replay.writer == .process, let rounds = replay.rounds {
      let store = try awaitedStore(startsAfresh: state.isFirst, in: folder)
      let outputs = try StudentOutputs(store, of: regenerator, seed: configuration.seed, upTo: state.replayVersion)
      let taken = RoundOutputs(rounds, outputs: outputs, versions: .awaited(in: store, of: folder)) {
        data.numbers(at: $0).count
      }
      return examples(data, outputs: outputs, writing: .rounds(taken), state: state, pruning: nil)
    }
    let writer = try ReplayWriter(directory: folder.replay)
    // Later versions were published by steps that will be taken again, to the same bytes.
    try writer.rollBack(to: replay.rounds?.written(before: state.step, of: totalSteps) ?? state.replayVersion)
    let outputs = try StudentOutputs(writer.store, of: regenerator, seed: configuration.seed, upTo: state.replayVersion)
    let output = output(regenerator, to: writer)
    let pruning = pruning(of: writer)
    guard let rounds = replay.rounds else {
      return examples(data, outputs: outputs, writing: .steps(output, prompt: prompt), state: state, pruning: pruning)
    }
    let taken = RoundOutputs(
      rounds, outputs: outputs, versions: .written(roundWriter(output, rounds: rounds), in: writer.store)
    ) { data.numbers(at: $0).count }
    return examples(data, outputs: outputs, writing: .rounds(taken), state: state, pruning: pruning)
  }

  private func examples(
    _ data: DataExamples, outputs: StudentOutputs, writing: AdaptiveExamples.Writing, state: TrainerState,
    pruning: OutputPruning?
  ) -> any ExampleSource {
    if configuration.isPaired, case .rounds(let rounds) = writing {
      return PairedExamples(data, outputs: outputs, rounds: rounds, pruning: pruning)
    }
    guard let sampler = state.sampler else { return data }
    return AdaptiveExamples(data, outputs: outputs, writing: writing, sampler: sampler, pruning: pruning)
  }

  /// The store that another process writes to; what an earlier run left there goes where this one starts afresh.
  private func awaitedStore(startsAfresh: Bool, in folder: RunFolder) throws -> ReplayStore {
    // Before the first checkpoint, and so before anybody follows the run.
    if startsAfresh || !ReplayStore.isThere(folder.replay) {
      // The lock goes with it, and the other process can take it.
      try ReplayWriter(directory: folder.replay).rollBack(to: 0)
    }
    return try ReplayStore(directory: folder.replay)
  }

  // MARK: Writing, here or in another process

  /// The run's student as a checkpoint has it.
  func student(at checkpoint: String) throws -> any CausalLanguageModel {
    let model = try configuration.student.load(checkpoint)
    model.precision = configuration.precision
    model.configuration = student.configuration
    return model
  }

  /// Lets a student of the run answer, and the teacher score what it wrote; nil where the run has nobody who scores.
  func regenerator(of student: any CausalLanguageModel) throws -> Regenerator? {
    guard let replay = configuration.outputs,
      let (teacher, topK) = try parts.teachers.ofOutputs(vocabulary: vocabulary)
    else { return nil }
    return Regenerator(
      student: student, teacher: teacher, topK: topK, settings: replay.decoding.settings,
      tokenizer: parts.tokenizer.tokenizer, endOfText: source.endOfText,
      mixture: try parts.teachers.mixture(configuration.objective.settings.mixedIn),
      batchSize: configuration.training.batchSize, scoringTokens: configuration.training.microBatchTokens)
  }

  func output(_ regenerator: Regenerator, to writer: ReplayWriter) -> OutputWriter {
    OutputWriter(
      regenerator, to: writer, data: samples.fingerprint, seed: configuration.seed, lengths: lengths)
  }

  func roundWriter(_ output: OutputWriter, rounds: Rounds) -> RoundWriter {
    var order = Self.order(samples, configuration)
    return RoundWriter(output, rounds: rounds) { [prompt] step in try order.batch(at: step).map(prompt) }
  }

  /// Nil where all versions stay.
  func pruning(of writer: ReplayWriter) -> OutputPruning? {
    guard let replay = configuration.outputs, let keep = replay.keep else { return nil }
    // A round's pairs are one version, and the newest is all that a step asks for.
    return OutputPruning(of: writer, drawnFrom: configuration.isPaired ? 1 : replay.sampler.capacity, keep: keep)
  }

  private var lengths: ResponseLengths { configuration.outputs?.lengths ?? ResponseLengths(first: 0, last: 0) }

  private var prompt: (_ sample: Int) throws -> [Int32] {
    { [samples, source, most = lengths.most] in try source.prompt(of: samples.sample($0), newTokens: most) }
  }
}
