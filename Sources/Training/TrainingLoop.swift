import Diagnostics
import Evaluation
import Methods
import Models
import NN
import Optimizers
import Samples
import Telemetry
import Tensor

/// The steps of a run: step, validate, checkpoint, finish. It knows a learner and a run folder, and not what is learnt.
///
/// A killed run goes on from its last checkpoint to the same bytes as an uninterrupted one: data order and decoding are
/// functions of (seed, step), and everything else that moves is in the checkpoint.
package final class TrainingLoop {
  private let work: TrainingWork
  private let folder: RunFolder
  private let collective = Collective.alone
  private let learner: any Learner
  private let optimizers: [AdamW]
  private let learningRates: LearningRateSchedule
  private let reports: TrainingReports
  private var state: TrainerState
  private var validated: ValidationResult?

  /// Goes on from a checkpoint, or starts afresh.
  ///
  /// - Parameters:
  ///   - folder: The run's, which this process has locked.
  ///   - resumed: Step of the checkpoint to go on from, whose student `work` has; nil for a new run.
  ///   - learner: Makes the learner that goes with a state.
  /// - Throws: a `Diagnostic` where the checkpoint does not belong to the run or is damaged.
  package init(
    _ work: TrainingWork, in folder: RunFolder, resumed: Int?, learner: (TrainerState) throws -> any Learner
  ) throws {
    self.work = work
    self.folder = folder
    // Before the optimizers' moments are made, while there is still somebody to say what does not fit.
    let shortage = ProcessMemory().limit.flatMap {
      work.forecast.shortage(limit: $0, recomputing: work.training.recompute)
    }
    TrainingReports.announce(work.summary, work.forecast, shortage: shortage)
    optimizers = work.optimizers()
    if let resumed {
      state = try Checkpoint.restore(
        from: folder.checkpoint(step: resumed), step: resumed, of: work.bounds, trained: work.trained,
        optimizers: optimizers, remedy: folder.remedy(forDamaged: resumed))
    } else {
      state = work.bounds.initial
    }
    learningRates = work.learningRates
    self.learner = try learner(state)
    if let kept = state.method { self.learner.methodState = kept }
    self.learner.dropoutStream = state.dropout
    // A little more than expected: what is not used is not resident.
    if shortage == nil { self.learner.arena.reserve(bytes: work.forecast.step + work.forecast.step / 50) }
    if resumed != nil { try folder.relink(step: state.step) }
    reports = try TrainingReports(
      folder: folder, total: work.totalSteps, resumed: resumed == nil ? nil : state, logEvery: work.training.logEvery)
  }

  /// Trains until the last step or a signal.
  ///
  /// - Throws: a `Diagnostic` for a loss that stays non-finite, a student that diverged, or what writing a file does.
  package func run() throws -> TrainingOutcome {
    let start = ContinuousClock.now
    let secondsBefore = state.seconds
    func clock() { state.seconds = secondsBefore + (ContinuousClock.now - start) / .seconds(1) }
    let total = work.totalSteps
    collective.once { reports.started(state: state) }
    var nonFinite = 0
    do {
      // Before the first step, or where a signal came before its end.
      if state.validationDue == true { try finishStep(clock) }
      while state.step < total {
        try Interruption.check()
        let metrics = try takeStep()
        nonFinite = metrics.skipped ? nonFinite + 1 : 0
        try collective.once {
          try reports.stepped(metrics, terms: learner.reportedTerms, logEvery: work.training.logEvery)
        }
        if nonFinite == work.training.nonFiniteLimit { throw Self.nonFinite(metrics, count: nonFinite) }
        if state.step == total || isDue(work.validationSchedule.every) { state.validationDue = true }
        try finishStep(clock)
      }
    } catch is Interrupted {}
    clock()
    let isStopped = state.step < total || state.validationDue == true
    if isStopped, try !folder.checkpointSteps().contains(state.step) { try checkpoint() }
    try collective.once {
      try reports.finished(state: state, total: total, stepPeakBytes: learner.arena.peakBytes)
    }
    return TrainingOutcome(
      steps: state.step, interrupted: isStopped, validationLoss: validated?.loss, vectors: validated?.vectors,
      bestStep: state.bestStep,
      bestLoss: state.bestLoss, seconds: state.seconds, tokens: state.tokens, skippedSteps: state.skippedSteps,
      sources: Dictionary(
        uniqueKeysWithValues: state.sources.compactMap { name, count in
          BatchSource(rawValue: name).map { ($0, count) }
        }),
      staleness: state.staleness, forecast: work.forecast, stepPeakBytes: learner.arena.peakBytes)
  }

  /// What follows a step where it is due: the validation and the checkpoint.
  ///
  /// - Throws: `Interrupted` from a validation, which is then still due and has left no trace.
  private func finishStep(_ clock: () -> Void) throws {
    let improved = state.validationDue == true ? try validate() : false
    state.validationDue = nil
    clock()
    let isLast = state.step == work.totalSteps
    let isAsked = learner.source.publishesCheckpoint(at: state.step, of: work.totalSteps)
    if isAsked || state.step > 0 && (isLast || improved || isDue(work.checkpoints.every)) { try checkpoint() }
  }

  private func isDue(_ every: Int) -> Bool { every > 0 && state.step.isMultiple(of: every) }

  /// One step of every optimizer.
  ///
  /// - Throws: `Interrupted` from writing the student's outputs, before anything of the step has changed.
  private func takeStep() throws -> StepMetrics {
    let start = ContinuousClock.now
    for trained in work.trained { trained.parameters.gradients?.fill(0) }
    let learnt = try learner.learn(step: state.step, of: work.totalSteps)
    let loss = learnt.loss
    keepSourceState()
    if !learnt.staleness.isEmpty { state.staleness = (state.staleness ?? Staleness()).adding(learnt.staleness) }
    let norms = collective.clip(work.clipped(optimizers), maximumNorm: Float(work.training.gradientClip))
    let rate = learningRates.rate(step: state.step)
    let skipped = loss.offender != nil || !norms.allSatisfy(\.isFinite)
    if skipped {
      state.skippedSteps += 1
    } else {
      for (optimizer, trained) in zip(optimizers, work.trained) {
        optimizer.step(learningRate: rate * trained.rateFactor)
      }
      state.optimizerSteps += 1
    }
    state.step += 1
    state.tokens += loss.tokens
    state.sources[learnt.source.rawValue, default: 0] += 1
    return StepMetrics(
      step: state.step, source: learnt.source, loss: loss, gradientNorm: norms[0], learningRate: rate,
      phi: state.sampler?.phi, staleness: learnt.staleness, skipped: skipped,
      offender: loss.offender ?? (skipped ? learnt.first() : nil),
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  private func keepSourceState() {
    let source = learner.source.state
    (state.sampler, state.replayVersion) = (source.sampler, source.replayVersion)
  }

  /// Measures the student on the validation rows; the loss moves phi.
  ///
  /// - Returns: true where it is the best so far.
  @discardableResult
  private func validate() throws -> Bool {
    // In the memory of the steps, and no more of it than they take: a forward pass needs less than a step of as many rows.
    let tokens = min(max(work.forecast.tokens, 1), 4096)
    guard let result = try learner.validate(tokensPerBatch: tokens) else { return false }
    validated = result
    if result.loss.isFinite { learner.source.observe(validationLoss: result.loss) }
    keepSourceState()
    let improved = state.improves(by: result)
    if improved { state.takeBest(result) }
    try collective.once { try reports.validated(step: state.step, result, phi: state.sampler?.phi) }
    return improved
  }

  private func checkpoint() throws {
    try requireSound()
    state.dropout = learner.dropoutStream ?? state.dropout
    state.method = learner.methodState.isEmpty ? nil : learner.methodState
    try collective.once {
      // First, so that after a power cut no step is missing from the metrics of a checkpoint that is there.
      try reports.synchronize()
      try folder.publish(step: state.step) { hidden in
        try Checkpoint.write(
          to: hidden, trained: work.trained, optimizers: optimizers, state: state, model: learner.save)
      }
      try folder.prune(keep: work.checkpoints.keep, best: state.bestStep) {
        try learner.source.isAwaited(checkpoint: $0, of: work.totalSteps)
      }
    }
    try learner.source.prune(resumableAt: folder.oldestReplayVersion())
  }

  /// Refuses to save a student that has diverged: the step after the last one would have found it, but nobody takes that.
  private func requireSound() throws {
    try Checkpoint.requireFinite(work.trained, optimizers, step: state.step)
    // Weights can be finite and far too large.
    if let fault = try learner.fault() { throw Checkpoint.diverged(fault, step: state.step) }
  }

  private static func nonFinite(_ metrics: StepMetrics, count: Int) -> Diagnostic {
    .failure(
      "the loss was not finite for \(count) steps in a row, the last at \(metrics.offender ?? "an unknown sample")",
      field: "training.non_finite_limit",
      remedy: "lower training.learning_rate, or look at that sample; the last checkpoint is untouched")
  }
}
