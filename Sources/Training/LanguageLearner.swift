import Evaluation
import Files
package import Methods
package import Models
import NN
package import RandomStreams
import Samples
package import Tensor

/// A causal language model that learns from examples by a method.
package final class LanguageLearner: Learner {
  package var source: any StepSource { examples }
  package let reportedTerms = ["divergence", "cross_entropy"]
  private let student: any CausalLanguageModel
  private let method: any Method
  private let examples: any ExampleSource
  private let data: TrainingData
  private let validation: ValidationSet?
  private let companions: [Companion]
  private let endToken: String?
  private let gradients: StepGradients

  /// - Parameters:
  ///   - examples: What its steps learn from.
  ///   - data: The run's rows: some of them tell whether the student is sound.
  ///   - companions: Files that travel into every checkpoint.
  ///   - endToken: What the tokenizer's files of a checkpoint are to name as the end of a text; nil where they do already.
  ///   - microBatchTokens: Most tokens that are computed together, unless one example is longer.
  package init(
    _ student: any CausalLanguageModel, _ method: any Method, learningFrom examples: any ExampleSource,
    data: TrainingData, validation: ValidationSet?, companions: [Companion], endToken: String?, microBatchTokens: Int
  ) {
    (self.student, self.method, self.examples) = (student, method, examples)
    (self.data, self.validation) = (data, validation)
    (self.companions, self.endToken) = (companions, endToken)
    gradients = StepGradients(method, microBatchTokens: microBatchTokens)
  }

  package var methodState: MethodState {
    get { method.state }
    set { method.state = newValue }
  }

  package var dropoutStream: RandomStream? {
    get { student.dropout?.stream }
    set { if let newValue { student.dropout?.stream = newValue } }
  }

  package var arena: Arena { gradients.arena }

  package func learn(step: Int, of total: Int) throws -> LearntStep {
    let batch = try examples.batch(step: step, of: total)
    let loss = gradients.accumulate(batch.examples, progress: Double(step) / Double(max(total - 1, 1)))
    return LearntStep(
      source: batch.source, loss: loss, staleness: batch.staleness, first: { batch.examples.first?.name })
  }

  package func validate(tokensPerBatch: Int) throws -> ValidationResult? {
    guard let validation, validation.count > 0 else { return nil }
    return try validation.measure(student, tokensPerBatch: tokensPerBatch, in: arena)
  }

  package func save(to folder: String) throws {
    try ModelStore.save(student, to: folder, companions: companions, endToken: endToken)
    for trained in method.trained {
      guard let model = trained.model else { continue }
      let place = "\(folder)/\(trained.name)"
      try File.makeFolder(place)
      try ModelStore.save(model, to: place, companions: companions, endToken: endToken)
    }
  }

  /// One sample may have no finite loss; a sound student has some that do.
  package func fault() throws -> String? {
    let evaluator = Evaluator(model: student, tokensPerBatch: 1, arena: arena)
    for number in 0..<min(data.count, 4) {
      if try evaluator.evaluate([data.sample(number).sequence]).nll.isFinite { return nil }
    }
    return "the loss of \(try data.name(0)), and of others, is not finite"
  }
}
