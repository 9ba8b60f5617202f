import Methods

/// The fixed data and the student's own outputs, as the adaptive sampler chooses (DistiLLM, arXiv 2402.03898, Algorithm 1).
package final class AdaptiveExamples: ExampleSource {
  private let data: DataExamples
  private let outputs: StudentOutputs
  private let prompt: (_ sample: Int) throws -> [Int32]
  private var sampler: AdaptiveSampler
  private var replayVersion: Int
  private let keep: Int?

  /// - Parameters:
  ///   - sampler: As the checkpoint has it that the run goes on from, as is the next.
  ///   - replayVersion: Newest version that belongs to the run.
  ///   - keep: Fewest versions of outputs that stay when those go that cannot be drawn any more; nil to keep all.
  ///   - prompt: The prompt of a sample of the data, by its number.
  package init(
    _ data: DataExamples, outputs: StudentOutputs, sampler: AdaptiveSampler, replayVersion: Int, keep: Int?,
    prompt: @escaping (_ sample: Int) throws -> [Int32]
  ) {
    self.data = data
    self.outputs = outputs
    self.prompt = prompt
    self.sampler = sampler
    self.replayVersion = replayVersion
    self.keep = keep
  }

  package var state: SourceState { SourceState(sampler: sampler, replayVersion: replayVersion) }

  package func observe(validationLoss: Double) { sampler.observe(validationLoss: validationLoss) }

  package func prune(resumableAt version: Int) throws {
    guard let keep else { return }
    try outputs.prune(drawnFrom: sampler.settings.capacity, keep: keep, resumableAt: version)
  }

  package func batch(step: Int, of total: Int) throws -> StepBatch {
    let before = sampler
    do {
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
    let numbers = data.numbers(at: step)
    if source == .fresh {
      let fresh = try outputs.generate(prompts: numbers.map(prompt), step: step, of: total)
      replayVersion = outputs.version
      if sampler.settings.freshBatch == .fresh {
        return StepBatch(source: source, examples: fresh, staleness: fresh.map { _ in 0 })
      }
    }
    let drawn = try outputs.draw(sampler.replayIndices(numbers.count, from: drawable(at: step)))
    return StepBatch(source: source, examples: drawn.map(\.example), staleness: drawn.map { step - $0.birthStep })
  }

  /// The samples that are not too old to be learnt from.
  private func drawable(at step: Int) -> Range<Int> {
    outputs.samples(since: sampler.settings.maximumStaleness.map { step - $0 } ?? 0)
  }
}
