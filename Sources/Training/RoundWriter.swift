package import Replay

/// Writes the versions of a run's rounds, in their order.
package struct RoundWriter {
  private let output: OutputWriter
  private let rounds: Rounds
  private let prompts: (_ step: Int) throws -> [[Int32]]

  /// - Parameter prompts: Of a step of the run.
  package init(_ output: OutputWriter, rounds: Rounds, prompts: @escaping (_ step: Int) throws -> [[Int32]]) {
    self.output = output
    self.rounds = rounds
    self.prompts = prompts
  }

  /// The newest round that is written; nil before the first.
  package func newest() throws -> Int? { try output.writer.store.latest().map { $0.number - 1 } }

  /// Writes the next round's version, by the student as it is.
  ///
  /// - Parameter answers: Whether it answers: a version of a student that is not to be learnt from yet has no samples.
  /// - Precondition: `round` follows the ``newest()``, and the student is that of its writing step.
  /// - Throws: as `OutputWriter/write(_:of:at:of:)`.
  @discardableResult
  package func write(_ round: Int, of total: Int, answers: Bool) throws -> ReplayVersion {
    let steps = rounds.steps(of: round, of: total)
    return try output.write(
      answers ? steps.flatMap(prompts) : [], of: steps.lowerBound, at: rounds.writingStep(of: round), of: total
    ).version
  }
}
