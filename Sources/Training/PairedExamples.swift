import Methods

/// The fixed data in its order, and beside each sample what the student writes to the same prompt: at the beginning of each round of
/// steps it answers the prompts of all of them (DistiLLM-2, arXiv 2503.07067, algorithm 1).
package final class PairedExamples: ExampleSource {
  private let data: DataExamples
  private let outputs: StudentOutputs
  private let prompt: (_ sample: Int) throws -> [Int32]
  private let round: Int
  private let keep: Int?
  private var replayVersion: Int

  /// - Parameters:
  ///   - round: Steps whose prompts are answered together.
  ///   - replayVersion: Newest version that belongs to the run.
  ///   - keep: Fewest versions of outputs that stay when those go that cannot be drawn any more; nil to keep all.
  ///   - prompt: The prompt of a sample of the data, by its number.
  package init(
    _ data: DataExamples, outputs: StudentOutputs, round: Int, replayVersion: Int, keep: Int?,
    prompt: @escaping (_ sample: Int) throws -> [Int32]
  ) {
    self.data = data
    self.outputs = outputs
    self.round = round
    self.replayVersion = replayVersion
    self.keep = keep
    self.prompt = prompt
  }

  package var state: SourceState { SourceState(replayVersion: replayVersion) }

  package func observe(validationLoss: Double) {}

  package func prune(resumableAt version: Int) throws {
    guard let keep else { return }
    // A round is one version, and the newest is all that a step asks for.
    try outputs.prune(drawnFrom: 1, keep: keep, resumableAt: version)
  }

  package func batch(step: Int, of total: Int) throws -> StepBatch {
    let first = step / round * round
    if outputs.newestStep != first {
      let steps = first..<min(first + round, total)
      _ = try outputs.generate(
        prompts: steps.flatMap(data.numbers).map(prompt), step: first, of: total)
      replayVersion = outputs.version
    }
    let before = (first..<step).reduce(0) { $0 + data.numbers(at: $1).count }
    let start = outputs.samples(since: first).lowerBound + before
    let written = try outputs.draw(Array(start..<start + data.numbers(at: step).count)).map(\.example)
    return StepBatch(
      source: .paired, examples: try data.batch(step: step, of: total).examples + written,
      staleness: written.map { _ in step - first })
  }
}
