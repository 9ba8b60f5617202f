import Methods

/// The fixed data and the student's own outputs, as the adaptive sampler chooses (DistiLLM, arXiv 2402.03898, Algorithm 1).
package final class AdaptiveExamples: ExampleSource {
  /// How the student writes.
  package enum Writing {
    /// At each generating step, to the prompts of that step.
    case steps(OutputWriter, prompt: (_ sample: Int) throws -> [Int32])
    /// In rounds; a generating step learns from what was written to its prompts.
    case rounds(RoundOutputs)
  }

  private let data: DataExamples
  private let outputs: StudentOutputs
  private let writing: Writing
  private let pruning: OutputPruning?
  private var sampler: AdaptiveSampler

  /// - Parameters:
  ///   - sampler: As the checkpoint has it that the run goes on from.
  ///   - pruning: Removes versions that cannot be drawn any more; nil where all stay or another process does it.
  package init(
    _ data: DataExamples, outputs: StudentOutputs, writing: Writing, sampler: AdaptiveSampler, pruning: OutputPruning?
  ) {
    self.data = data
    self.outputs = outputs
    self.writing = writing
    self.sampler = sampler
    self.pruning = pruning
  }

  package var state: SourceState { SourceState(sampler: sampler, replayVersion: outputs.version) }

  package func observe(validationLoss: Double) { sampler.observe(validationLoss: validationLoss) }

  package func prune(resumableAt version: Int) throws { try pruning?.prune(outputs, resumableAt: version) }

  package func publishesCheckpoint(at step: Int, of total: Int) -> Bool {
    guard case .rounds(let rounds) = writing else { return false }
    return rounds.publishesCheckpoint(at: step, of: total)
  }

  package func isAwaited(checkpoint step: Int, of total: Int) throws -> Bool {
    guard case .rounds(let rounds) = writing else { return false }
    return try rounds.isAwaited(checkpoint: step, of: total)
  }

  package func batch(step: Int, of total: Int) throws -> StepBatch {
    let before = sampler
    do {
      if case .rounds(let rounds) = writing {
        try rounds.begin(step: step, of: total, answers: sampler.asksStudent)
      }
      let source = sampler.source(step: step, of: total, replayCount: drawable(at: step).count)
      return try batch(from: source, step: step, of: total)
    } catch {
      sampler = before
      throw error
    }
  }

  /// Fresh responses answer the prompts of the step's own batch of the data; a replay step passes over it.
  private func batch(from source: BatchSource, step: Int, of total: Int) throws -> StepBatch {
    if source == .data { return try data.batch(step: step, of: total) }
    if source == .fresh {
      guard let fresh = try fresh(step: step, of: total) else { return try data.batch(step: step, of: total) }
      if sampler.settings.freshBatch == .fresh { return fresh }
    }
    let count = data.numbers(at: step).count
    return try drawn(sampler.replayIndices(count, from: drawable(at: step)), source: source, step: step)
  }

  /// What the student writes to a step's prompts; nil where it wrote nothing in their round, since nothing was to be learnt from
  /// it then.
  private func fresh(step: Int, of total: Int) throws -> StepBatch? {
    switch writing {
    case .steps(let writer, let prompt):
      let (version, samples) = try writer.write(
        data.numbers(at: step).map(prompt), of: step, at: step, of: total)
      let fresh = try outputs.take(version, samples: samples)
      return StepBatch(source: .fresh, examples: fresh, staleness: fresh.map { _ in 0 })
    case .rounds(let rounds):
      let answers = rounds.answers(at: step)
      return answers.isEmpty ? nil : try drawn(Array(answers), source: .fresh, step: step)
    }
  }

  private func drawn(_ indices: [Int], source: BatchSource, step: Int) throws -> StepBatch {
    let drawn = try outputs.draw(indices)
    return StepBatch(source: source, examples: drawn.map(\.example), staleness: drawn.map { step - $0.birthStep })
  }

  /// The samples that are not too old to be learnt from.
  private func drawable(at step: Int) -> Range<Int> {
    outputs.samples(since: sampler.settings.maximumStaleness.map { step - $0 } ?? 0)
  }
}
