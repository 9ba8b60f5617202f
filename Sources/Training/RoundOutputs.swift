/// What the student writes in rounds, as the steps take it up.
package final class RoundOutputs {
  private let rounds: Rounds
  private let outputs: StudentOutputs
  private let versions: RoundVersions
  /// Samples that a step asks for.
  private let count: (_ step: Int) -> Int

  package init(
    _ rounds: Rounds, outputs: StudentOutputs, versions: RoundVersions, count: @escaping (_ step: Int) -> Int
  ) {
    self.rounds = rounds
    self.outputs = outputs
    self.versions = versions
    self.count = count
  }

  /// Comes to a step: at the first of a round what is due is written, and the round's version is taken up.
  ///
  /// - Parameter answers: Whether the student answers what is written now.
  /// - Throws: a `Diagnostic` of the store; `Interrupted` while the student wrote or another process was waited for.
  func begin(step: Int, of total: Int, answers: Bool) throws {
    if case .written(let writer, _) = versions {
      for round in rounds.answered(at: step, of: total) where try writer.newest() ?? -1 < round {
        try writer.write(round, of: total, answers: answers)
      }
    }
    let number = rounds.version(of: rounds.round(at: step))
    guard outputs.version < number else { return }
    try outputs.take(versions.version(number))
  }

  /// The answers to the prompts of a step, where its round has any.
  ///
  /// - Returns: indices of `StudentOutputs/draw(_:)`.
  func answers(at step: Int) -> Range<Int> {
    let samples = outputs.newestSamples
    guard !samples.isEmpty else { return samples }
    let first = rounds.round(at: step) * rounds.length
    let before = (first..<step).reduce(samples.lowerBound) { $0 + count($1) }
    return before..<before + count(step)
  }

  /// Whether another process reads the checkpoint of a step.
  func publishesCheckpoint(at step: Int, of total: Int) -> Bool {
    guard case .awaited = versions else { return false }
    return !rounds.answered(at: step, of: total).isEmpty
  }

  /// Whether that process has still to read it.
  func isAwaited(checkpoint step: Int, of total: Int) throws -> Bool {
    let answered = rounds.answered(at: step, of: total)
    guard !answered.isEmpty else { return false }
    return try versions.areAwaited(rounds.version(of: answered.lowerBound)..<rounds.version(of: answered.upperBound))
  }
}
