/// Steps whose prompts are answered together. At the beginning of a round the student writes to the prompts of all steps of one
/// round: of the same, or with a lag of a later one. What it writes is one version of the replay store, which the round takes up at
/// its first step.
///
/// Which student answers which prompts is a function of the step alone, so a version can be written from a checkpoint by
/// another process, to the same bytes.
package struct Rounds: Sendable, Equatable {
  /// Steps of a round.
  package let length: Int
  /// Rounds between the student's writing and the learning.
  package let lag: Int

  /// - Precondition: `length` is positive and `lag` is not negative.
  package init(length: Int, lag: Int) {
    precondition(length > 0 && lag >= 0, "rounds of \(length) steps with a lag of \(lag)")
    self.length = length
    self.lag = lag
  }

  /// The round that a step belongs to, both counted from 0.
  package func round(at step: Int) -> Int { step / length }

  /// Rounds of a run.
  package func count(of total: Int) -> Int { (total + length - 1) / length }

  package func steps(of round: Int, of total: Int) -> Range<Int> {
    round * length..<min((round + 1) * length, total)
  }

  /// The version that answers a round's prompts.
  package func version(of round: Int) -> Int { round + 1 }

  /// The step whose student answers a round's prompts; that of the first step answers for as many more as the lag has.
  package func writingStep(of round: Int) -> Int { max(0, round - lag) * length }

  /// The rounds whose prompts the student of a step answers; none but at the beginning of a round.
  package func answered(at step: Int, of total: Int) -> Range<Int> {
    guard step.isMultiple(of: length) else { return 0..<0 }
    let last = min(step / length + lag + 1, count(of: total))
    return (step == 0 ? 0 : min(step / length + lag, last))..<last
  }

  /// The newest version that a run has taken up when it comes to a step.
  package func taken(before step: Int) -> Int { (step + length - 1) / length }

  /// The newest version that was to be written before a run came to a step.
  package func written(before step: Int, of total: Int) -> Int {
    step == 0 ? 0 : min(taken(before: step) + lag, count(of: total))
  }
}
