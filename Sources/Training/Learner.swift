package import Methods
package import RandomStreams
package import Tensor

/// What a loop trains: a model of one kind or another, and how the gradient of a step comes about.
///
/// The loop knows when to step, to validate and to save. What a step learns from, what a validation measures and which files make
/// a model is said here: ``LanguageLearner`` has a causal language model and a method.
package protocol Learner: AnyObject {
  /// The random state that its method keeps, and its numbers.
  var methodState: MethodState { get set }
  /// The stream that dropout's masks are drawn from; nil without dropout.
  var dropoutStream: RandomStream? { get set }
  /// What its passes are computed in; between steps anything else may be.
  var arena: Arena { get }
  /// Where its texts come from.
  var source: any StepSource { get }
  /// Parts of the loss that the metrics of every step have, also where its method has none of them.
  var reportedTerms: [String] { get }

  /// Adds to the gradients of what is trained those of a step, counted from 0, of a run of `total`.
  ///
  /// - Throws: a `Diagnostic` where something to learn from is gone or damaged; `Interrupted` where a signal came before anything
  ///   of the step had changed.
  func learn(step: Int, of total: Int) throws -> LearntStep

  /// Measures the model on the validation rows; nil where there are none.
  ///
  /// - Parameter tokensPerBatch: Decides time and memory, and no bit of the result.
  /// - Throws: `Interrupted` where a signal asks to stop.
  func validate(tokensPerBatch: Int) throws -> ValidationResult?

  /// Writes the files that make the model into a folder that nobody sees yet.
  func save(to folder: String) throws

  /// What tells that the model has diverged, where its weights are finite all the same; nil for one that has not.
  func fault() throws -> String?
}

/// What a step learnt from, and with what loss.
package struct LearntStep {
  package var source = BatchSource.data
  package var loss: StepLoss
  /// How many steps ago each of its samples was written, where the student wrote them.
  package var staleness: [Int] = []
  /// Its first example, for a message.
  package var first: () -> String?

  package init(
    source: BatchSource = .data, loss: StepLoss, staleness: [Int] = [], first: @escaping () -> String? = { nil }
  ) {
    (self.source, self.loss, self.staleness, self.first) = (source, loss, staleness, first)
  }
}

/// Where the texts of a run's steps come from, as far as its loop has to do with it. Of fixed data that is nothing.
package protocol StepSource: AnyObject {
  /// Hears of a validation.
  ///
  /// - Parameter validationLoss: Cross-entropy on reference responses, nats per token.
  func observe(validationLoss: Double)

  /// What a checkpoint holds of it.
  var state: SourceState { get }

  /// Gives up what no step can ask for any more, after a checkpoint.
  ///
  /// - Parameter version: ``SourceState/replayVersion`` of the oldest checkpoint that is kept.
  func prune(resumableAt version: Int) throws

  /// Whether a checkpoint is written, before a step of a run of `total`, for another process to read.
  func publishesCheckpoint(at step: Int, of total: Int) -> Bool

  /// Whether that process has still to read it: until then it stays.
  func isAwaited(checkpoint step: Int, of total: Int) throws -> Bool
}

extension StepSource {
  package var state: SourceState { SourceState() }
  package func observe(validationLoss: Double) {}
  package func prune(resumableAt version: Int) throws {}
  package func publishesCheckpoint(at step: Int, of total: Int) -> Bool { false }
  package func isAwaited(checkpoint step: Int, of total: Int) throws -> Bool { false }
}
