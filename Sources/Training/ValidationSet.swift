package import Evaluation
package import Models
package import Samples
import Telemetry
import Tensor

/// What a validation found.
package struct ValidationResult: Equatable {
  /// Mean cross-entropy per scored position, nats, or whatever else the steps lower.
  package var loss: Double
  /// Of greedy responses, where the metric is of those.
  package var responses: EvaluationReport.Responses?
  /// Of vectors, where the student gives those.
  package var vectors: VectorAgreement?
  /// What decides between checkpoints, from 0 to 1, more is better, where that is not the loss.
  package var score: Double?

  package init(
    loss: Double, responses: EvaluationReport.Responses? = nil, vectors: VectorAgreement? = nil, score: Double? = nil
  ) {
    (self.loss, self.responses, self.vectors, self.score) = (loss, responses, vectors, score)
  }
}

/// The rows that a run is validated with, and what decides between its checkpoints.
package struct ValidationSet {
  private let samples: IndexedSamples
  private let metric: ValidationConfiguration.Metric
  private let answer: (any CausalLanguageModel, _ count: Int) throws -> EvaluationReport.Responses?
  /// Samples that count, from the front.
  package let count: Int

  /// - Parameters:
  ///   - configuration: Its limit and metric.
  ///   - answer: Lets a model answer the prompts of so many samples from the front, and compares with their responses.
  package init(
    _ samples: IndexedSamples, _ configuration: ValidationConfiguration,
    answer: @escaping (any CausalLanguageModel, _ count: Int) throws -> EvaluationReport.Responses?
  ) {
    self.samples = samples
    self.answer = answer
    metric = configuration.metric
    count = min(samples.count, configuration.limit ?? .max)
  }

  /// Measures a student.
  ///
  /// - Parameter tokensPerBatch: Decides time and memory, and no bit of the loss.
  /// - Throws: `Interrupted` where a signal asks to stop, and what the answering throws.
  func measure(_ student: any CausalLanguageModel, tokensPerBatch: Int, in arena: Arena) throws -> ValidationResult {
    let loss = try Evaluator(model: student, tokensPerBatch: tokensPerBatch, arena: arena)
      .evaluate(count: count, onProgress: { _ in try Interruption.check() }) {
        try samples.index.sample(at: $0).sequence
      }.nll
    if metric == .loss { return ValidationResult(loss: loss) }
    // A student whose logits are no numbers writes nothing.
    guard loss.isFinite, let responses = try answer(student, count) else {
      return ValidationResult(loss: loss, score: -.infinity)
    }
    return ValidationResult(
      loss: loss, responses: responses, score: metric == .rougeL ? responses.rougeL : responses.exactMatch)
  }
}
