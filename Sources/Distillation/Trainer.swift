import Diagnostics
import Divergences
import Evaluation
import Files
import JSON
import Models
import NN
import Optimizers
import Samples
import Sequences
import Telemetry
import Tensor

/// Stage two: trains a student by streaming the teacher's signals, and on its schedule writes, scores and replays the
/// student's own outputs (stage three).
///
/// One flat recipe: set up or resume, step, validate, checkpoint, finish. A killed run goes on from its last checkpoint
/// to the same bytes as an uninterrupted one: data order and decoding are functions of (seed, step), and everything
/// else that moves is in the checkpoint.
public final class Trainer {
  /// How a run ended.
  public struct Outcome: Sendable, Equatable {
    public var steps: Int
    /// Stopped by a signal before its last step or the validation after it; run again with resume to go on.
    public var interrupted: Bool
    public var validationLoss: Double?
    public var bestStep: Int?
    public var bestLoss: Double?
    public var seconds: Double
    public var tokens: Int
    public var skippedSteps: Int
    /// Steps by source.
    public var sources: [BatchSource: Int]
    /// What the run was expected to hold in memory.
    public var forecast: MemoryForecast
    /// What of the forecast's `step` was really taken, in bytes.
    public var stepPeakBytes: Int
  }

  let configuration: TrainingConfiguration
  let forecast: MemoryForecast
  let folder: RunFolder
  let run: TrainingRun
  let step: StudentStep
  let optimizer: AdamW
  let schedule: LearningRateSchedule
  let outputs: StudentOutputs?
  let reports: TrainingReports
  var order: DataOrder
  var state: TrainerState
  var validationLoss: Double?

  /// Trains until the last step or a signal.
  ///
  /// - Parameters:
  ///   - output: The run folder.
  ///   - resume: Go on from the newest checkpoint where there is one.
  ///   - acceptChangedData: Go on also where the rows are not those the run began with; the run folder records it.
  /// - Throws: a `Diagnostic` for input that does not fit or has changed, a run folder in use, or a loss that stays non-finite.
  public static func train(
    _ configuration: TrainingConfiguration, output: String, resume: Bool, acceptChangedData: Bool = false
  ) throws -> Outcome {
    EngineAnnouncement.print(configuration.precision)
    let folder = RunFolder(output)
    let lock = try folder.lock()
    defer { withExtendedLifetime(lock) {} }
    let trainer = try Trainer(
      configuration, folder: folder, resume: resume, acceptChangedData: acceptChangedData)
    return try trainer.loop()
  }

  private init(
    _ configuration: TrainingConfiguration, folder: RunFolder, resume: Bool, acceptChangedData: Bool
  ) throws {
    self.configuration = configuration
    self.folder = folder
    let resumed = try Self.checkpointToResume(folder, resume: resume)
    try folder.record(configuration, resuming: resumed != nil)
    run = try Interruption.endingAtOnce {
      try TrainingRun(configuration, student: resumed.map(folder.checkpoint), index: .inside(folder.path))
    }
    try folder.record(run.provenance, resumedAt: resumed, acceptChangedData: acceptChangedData)
    run.keepIndices()
    let schedule = configuration.training
    // Before the optimizer's moments are made, while there is still somebody to say what does not fit.
    forecast = try MemoryForecast(run)
    let shortage = ProcessMemory().limit.flatMap { [forecast] in forecast.shortage(limit: $0, training: schedule) }
    TrainingReports.announce(run, forecast, shortage: shortage)
    let parameters = run.student.parameters
    optimizer = AdamW(
      parameters: parameters, beta1: Float(schedule.beta1), beta2: Float(schedule.beta2),
      epsilon: Float(schedule.epsilon), weightDecay: Float(schedule.weightDecay))
    if let resumed {
      state = try Checkpoint.restore(
        from: folder.checkpoint(step: resumed), step: resumed, of: run.bounds, optimizer: optimizer,
        remedy: folder.remedy(forDamaged: resumed))
    } else {
      state = run.initialState()
    }
    run.student.dropout?.stream = state.dropout
    self.schedule = run.learningRateSchedule
    order = run.order
    step = StudentStep(
      student: run.student, liveTeacher: run.liveTeacher, objective: configuration.objective,
      vocabulary: run.vocabulary, tokensPerPiece: schedule.microBatchTokens)
    // A little more than expected: what is not used is not resident.
    if shortage == nil { step.arena.reserve(bytes: forecast.step + forecast.step / 50) }
    outputs = try run.studentOutputs(folder: folder, resumingAfter: state.replayVersion)
    if resumed != nil { try folder.relink(step: state.step) }
    reports = try TrainingReports(
      folder: folder, total: run.totalSteps, resumed: resumed == nil ? nil : state, logEvery: schedule.logEvery)
  }

  /// Step of the newest complete checkpoint, whose files are as they were written; nil for a fresh start. A run that has
  /// checkpoints is never started afresh by accident.
  private static func checkpointToResume(_ folder: RunFolder, resume: Bool) throws -> Int? {
    try folder.removeLeftovers()
    let others = try folder.incompleteCheckpoints()
    guard let step = try folder.checkpointSteps().last else {
      guard let other = others.first else { return nil }
      throw Diagnostic.input(
        "is no complete checkpoint, and there is no other", file: "\(folder.checkpoints)/\(other)",
        remedy: "copy the checkpoint again, whole and under its own name, or remove it to start from the beginning")
    }
    guard resume else {
      throw Diagnostic.input(
        "already holds a run at step \(step)", file: folder.path,
        remedy: "set `resume` to go on with it, or choose another `output`")
    }
    let path = folder.checkpoint(step: step)
    for other in others { Log.warning("\(folder.checkpoints)/\(other) is no complete checkpoint: passed over") }
    if try !Checkpoint.verify(path, remedy: folder.remedy(forDamaged: step)) {
      Log.warning("\(path) was written by an earlier version, without checksums: its files cannot be checked")
    }
    return step
  }

  private func loop() throws -> Outcome {
    let start = ContinuousClock.now
    let secondsBefore = state.seconds
    func clock() { state.seconds = secondsBefore + (ContinuousClock.now - start) / .seconds(1) }
    let total = run.totalSteps
    reports.started(state: state)
    var nonFinite = 0
    do {
      // Before the first step, or where a signal came before its end.
      if state.validationDue == true { try finishStep(clock) }
      while state.step < total {
        try Interruption.check()
        let metrics = try takeStep()
        nonFinite = metrics.skipped ? nonFinite + 1 : 0
        try reports.stepped(metrics, logEvery: configuration.training.logEvery)
        if nonFinite == configuration.training.nonFiniteLimit { throw Self.nonFinite(metrics, count: nonFinite) }
        if state.step == total || isDue(configuration.validation.every) { state.validationDue = true }
        try finishStep(clock)
      }
    } catch is Interrupted {}
    clock()
    let isStopped = state.step < total || state.validationDue == true
    if isStopped, try !folder.checkpointSteps().contains(state.step) { try checkpoint() }
    try reports.finished(state: state, total: total, stepPeakBytes: step.arena.peakBytes)
    return Outcome(
      steps: state.step, interrupted: isStopped, validationLoss: validationLoss, bestStep: state.bestStep,
      bestLoss: state.bestLoss, seconds: state.seconds, tokens: state.tokens, skippedSteps: state.skippedSteps,
      sources: Dictionary(
        uniqueKeysWithValues: state.sources.compactMap { name, count in
          BatchSource(rawValue: name).map { ($0, count) }
        }),
      forecast: forecast, stepPeakBytes: step.arena.peakBytes)
  }

  /// What follows a step where it is due: the validation and the checkpoint.
  ///
  /// - Throws: `Interrupted` from a validation, which is then still due and has left no trace.
  private func finishStep(_ clock: () -> Void) throws {
    let improved = state.validationDue == true ? try validate() : false
    state.validationDue = nil
    clock()
    let isLast = state.step == run.totalSteps
    if state.step > 0 && (isLast || improved || isDue(configuration.checkpoints.every)) { try checkpoint() }
  }

  private func isDue(_ every: Int) -> Bool { every > 0 && state.step.isMultiple(of: every) }

  /// One optimizer step from the source that the sampler chooses.
  ///
  /// - Throws: `Interrupted` from writing the student's outputs, before anything of the step has changed.
  private func takeStep() throws -> StepMetrics {
    let start = ContinuousClock.now
    let index = state.step
    let before = state
    let source = state.sampler?.source(step: index, of: run.totalSteps, replayCount: outputs?.count ?? 0) ?? .cache
    let examples: [TrainingExample]
    do { examples = try self.examples(from: source, step: index) } catch let stop as Interrupted {
      state = before
      throw stop
    }
    run.student.parameters.gradients?.fill(0)
    let loss = try step.accumulate(examples)
    let norm = optimizer.clipGradients(maximumNorm: Float(configuration.training.gradientClip))
    let rate = schedule.rate(step: index)
    let skipped = loss.offender != nil || !norm.isFinite
    if skipped {
      state.skippedSteps += 1
    } else {
      optimizer.step(learningRate: rate)
      state.optimizerSteps += 1
    }
    state.step += 1
    state.tokens += loss.tokens
    state.sources[source.rawValue, default: 0] += 1
    let objective = configuration.objective
    return StepMetrics(
      step: state.step, source: source, loss: loss, gradientNorm: norm, learningRate: rate,
      weights: (
        objective.objective.needsTeacher ? objective.divergenceWeight : 0,
        source == .cache ? objective.crossEntropyWeight : 0
      ),
      phi: state.sampler?.phi, skipped: skipped, offender: loss.offender ?? (skipped ? examples.first?.name() : nil),
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  /// The batch of a step. Fresh responses answer the prompts of the step's own batch; a replay step passes over it.
  private func examples(from source: BatchSource, step: Int) throws -> [TrainingExample] {
    let indices = order.batch(at: step)
    guard let outputs, source != .cache else { return try indices.map(run.example) }
    if source == .fresh {
      let fresh = try outputs.generate(prompts: indices.map(run.prompt), step: step)
      state.replayVersion = outputs.version
      if state.sampler?.settings.freshBatch == .fresh { return fresh }
    }
    let picks = state.sampler?.replayIndices(indices.count, replayCount: outputs.count) ?? []
    return try outputs.draw(picks)
  }

  /// Cross-entropy on the validation rows; moves phi.
  ///
  /// - Returns: true where the loss is the lowest so far.
  @discardableResult
  private func validate() throws -> Bool {
    // In the memory of the steps, and no more of it than they take: a forward pass needs less than a step of as many rows.
    let tokens = min(max(forecast.tokens, 1), 4096)
    guard let loss = try run.validationLoss(tokensPerBatch: tokens, in: step.arena) else { return false }
    validationLoss = loss
    if loss.isFinite { state.sampler?.observe(validationLoss: loss) }
    let improved = loss < state.bestLoss ?? .infinity
    if improved && state.step > 0 { (state.bestStep, state.bestLoss) = (state.step, loss) }
    try reports.validated(step: state.step, loss: loss, phi: state.sampler?.phi)
    return improved && state.step > 0
  }

  private func checkpoint() throws {
    try requireSound()
    state.dropout = run.student.dropout?.stream ?? state.dropout
    // First, so that after a power cut no step is missing from the metrics of a checkpoint that is there.
    try reports.synchronize()
    try folder.publish(step: state.step) { hidden in
      try Checkpoint.write(
        to: hidden, model: run.student, companions: run.companions, endToken: run.endToken,
        optimizer: optimizer, state: state)
    }
    try folder.prune(keep: configuration.checkpoints.keep, best: state.bestStep)
  }

  /// Refuses to save a student that has diverged: the step after the last one would have found it, but nobody takes that.
  private func requireSound() throws {
    try Checkpoint.requireFinite(run.student, optimizer: optimizer, step: state.step)
    // Weights can be finite and far too large. One sample may have no finite loss; a sound student has some that do.
    let evaluator = Evaluator(model: run.student, tokensPerBatch: 1, arena: step.arena)
    for number in 0..<min(run.samples.count, 4) {
      if try evaluator.evaluate([run.samples.sample(number).sequence]).nll.isFinite { return }
    }
    throw Checkpoint.diverged(
      "the loss of \(try run.samples.name(0)), and of others, is not finite", step: state.step)
  }

  private static func nonFinite(_ metrics: StepMetrics, count: Int) -> Diagnostic {
    .failure(
      "the loss was not finite for \(count) steps in a row, the last at \(metrics.offender ?? "an unknown sample")",
      field: "training.non_finite_limit",
      remedy: "lower training.learning_rate, or look at that sample; the last checkpoint is untouched")
  }
}
