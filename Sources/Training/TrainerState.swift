import Methods
package import RandomStreams

/// Everything of a training run beside weights and optimizer moments that its continuation depends on.
package struct TrainerState: Codable, Equatable, Sendable {
  /// Version of this file's layout.
  var format = TrainerState.currentFormat
  /// Optimizer steps done.
  package var step = 0
  /// Steps the optimizer has really taken: skipped ones do not count in its bias correction.
  var optimizerSteps = 0
  package var sampler: AdaptiveSampler?
  var dropout: RandomStream
  /// Newest replay version that belongs to the run at this step.
  package var replayVersion = 0
  /// What the method keeps; nil where that is nothing.
  var method: MethodState?
  var bestStep: Int?
  /// The validation loss of the best step.
  var bestLoss: Double?
  /// What made it the best, where that is not the loss; more is better.
  var bestScore: Double?
  var tokens = 0
  var skippedSteps = 0
  /// True where the validation that belongs to this step has still to be done: at the start, and where a signal came
  /// before its end. Left out elsewhere.
  var validationDue: Bool?
  /// Steps taken from each source.
  var sources: [String: Int] = [:]
  /// How old the samples were that the student wrote; nil where it wrote none.
  var staleness: Staleness?
  /// Wall time of all sittings, seconds.
  var seconds = 0.0

  /// Whether nothing has been done yet, not even the validation before the first step.
  package var isFirst: Bool { step == 0 && validationDue == true }

  /// The state before the first step.
  package init(sampler: AdaptiveSampler?, dropout: RandomStream) {
    self.sampler = sampler
    self.dropout = dropout
    validationDue = true
  }

  /// Whether a validation of this step is better than all of steps before.
  func improves(by result: ValidationResult) -> Bool {
    guard step > 0, result.loss.isFinite else { return false }
    return result.score ?? -result.loss > bestScore ?? bestLoss.map { -$0 } ?? -.infinity
  }

  mutating func takeBest(_ result: ValidationResult) {
    (bestStep, bestLoss, bestScore) = (step, result.loss, result.score)
  }
}
