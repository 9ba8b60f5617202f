import Methods

/// The fixed data in its order, and beside each sample what the student writes to the same prompt: at the beginning of each round of
/// steps it answers the prompts of all of them (DistiLLM-2, arXiv 2503.07067, algorithm 1).
package final class PairedExamples: ExampleSource {
  private let data: DataExamples
  private let outputs: StudentOutputs
  private let rounds: RoundOutputs
  private let pruning: OutputPruning?

  /// - Parameter pruning: Removes versions that cannot be drawn any more; nil where all stay or another process does it.
  package init(_ data: DataExamples, outputs: StudentOutputs, rounds: RoundOutputs, pruning: OutputPruning?) {
    self.data = data
    self.outputs = outputs
    self.rounds = rounds
    self.pruning = pruning
  }

  package var state: SourceState { SourceState(replayVersion: outputs.version) }

  package func observe(validationLoss: Double) {}

  package func prune(resumableAt version: Int) throws { try pruning?.prune(outputs, resumableAt: version) }

  package func publishesCheckpoint(at step: Int, of total: Int) -> Bool {
    rounds.publishesCheckpoint(at: step, of: total)
  }

  package func isAwaited(checkpoint step: Int, of total: Int) throws -> Bool {
    try rounds.isAwaited(checkpoint: step, of: total)
  }

  package func batch(step: Int, of total: Int) throws -> StepBatch {
    try rounds.begin(step: step, of: total, answers: true)
    let written = try outputs.draw(Array(rounds.answers(at: step)))
    return StepBatch(
      source: .paired, examples: try data.batch(step: step, of: total).examples + written.map(\.example),
      staleness: written.map { step - $0.birthStep })
  }
}
