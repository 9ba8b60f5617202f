public import Divergences
public import Models
public import Sequences
public import Tensor

/// Distributions over the whole vocabulary, never held all at once: hidden states for the rows of a micro-batch, and the head
/// that makes logits of them chunk by chunk while a loss looks.
public protocol DenseTeacher: AnyObject {
  /// Its side of a loss at the scored rows of a batch, in memory of the arena.
  func rows(of batch: PackedBatch, in arena: Arena) -> TeacherRows

  /// The gradient of its cross-entropy, summed over scored rows, in its own embeddings of a batch: [rows, hidden size]. Nothing of it
  /// trains.
  func inputGradients(of batch: PackedBatch, in arena: Arena) -> Tensor

  /// What ``rows(of:in:)`` takes of an arena.
  var memory: DenseTeacherMemory { get }

  /// What ``inputGradients(of:in:)`` takes of an arena, but for scored rows and logits. Runs the model on a few rows.
  var slopeMemory: RowMemory { get }
}

/// What a dense teacher takes of an arena for a micro-batch.
public struct DenseTeacherMemory {
  /// Of its forward pass: the most at any one time, and what is left of it.
  package let forward: ForwardMemory
  /// Columns of a row of its hidden states.
  package let width: Int
  package let head: Head
}

/// A model that runs beside the student at every step: exact, over the whole vocabulary, and paid for each time.
public final class LiveTeacher: MixtureTeacher, DenseTeacher {
  public let identity: TeacherIdentity
  private let model: any CausalLanguageModel

  public init(_ model: any CausalLanguageModel, identity: TeacherIdentity) {
    self.model = model
    self.identity = identity
  }

  public var parameterBytes: Int { model.parameters.bytes }

  /// The sequences, and itself to be asked when a loss looks at them.
  public func signals(for sequences: [AskedSequence]) throws -> [Lesson] {
    try sequences.map { Lesson(try $0.sequence(), live: self) }
  }

  /// The mixtures, and itself to be asked when a loss looks at them.
  public func lessons(of mixtures: [AskedMixture]) throws -> [Lesson] {
    try mixtures.map { Lesson(try $0.mixture(), .dense(self)) }
  }

  public func rows(of batch: PackedBatch, in arena: Arena) -> TeacherRows {
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = model.hiddenStates(batch, on: tape)
    return .dense(hidden: tape.gatherRows(states, batch.scoredRows).value, head: head)
  }

  public func inputGradients(of batch: PackedBatch, in arena: Arena) -> Tensor {
    arena.keepingResult {
      let embeddings = InputGradients.embeddings(of: model, batch, in: arena)
      return InputGradients.crossEntropy(of: model, at: embeddings, head: head, batch, in: arena)
    }
  }

  public var memory: DenseTeacherMemory {
    DenseTeacherMemory(forward: ForwardMemory(model), width: model.configuration.hiddenSize, head: head)
  }

  public var slopeMemory: RowMemory { InputGradients.memory(of: model) }

  private var head: Head {
    Head(reading: model.head, vocabulary: identity.vocabularySize, precision: model.precision)
  }
}
