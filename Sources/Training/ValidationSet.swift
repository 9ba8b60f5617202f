import Evaluation
import Models
package import Samples
import Telemetry
import Tensor

/// The rows that a run is validated with.
package struct ValidationSet: Sendable {
  private let samples: IndexedSamples
  /// Samples that count, from the front.
  package let count: Int

  /// - Parameter limit: At most so many count; all where nil.
  package init(_ samples: IndexedSamples, limit: Int?) {
    self.samples = samples
    count = min(samples.count, limit ?? .max)
  }

  /// Mean cross-entropy per scored position, nats.
  ///
  /// - Parameter tokensPerBatch: Decides time and memory, and no bit of the loss.
  /// - Throws: `Interrupted` where a signal asks to stop.
  func loss(of student: any CausalLanguageModel, tokensPerBatch: Int, in arena: Arena) throws -> Double {
    try Evaluator(model: student, tokensPerBatch: tokensPerBatch, arena: arena)
      .evaluate(count: count, onProgress: { _ in try Interruption.check() }) {
        try samples.index.sample(at: $0).sequence
      }.nll
  }
}
