public import Divergences
public import Models
public import Sequences
public import Tensor

/// Distributions over the whole vocabulary, never held all at once: hidden states for the rows of a micro-batch, and the head
/// that makes logits of them chunk by chunk while a loss looks.
public protocol DenseTeacher: AnyObject {
  /// Its side of a loss at the scored rows of a batch, in memory of the arena.
  func rows(of batch: PackedBatch, in arena: Arena) -> TeacherRows

  /// What ``rows(of:in:)`` takes of an arena.
  var memory: DenseTeacherMemory { get }
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
public final class LiveTeacher: Teacher, DenseTeacher {
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

  public func rows(of batch: PackedBatch, in arena: Arena) -> TeacherRows {
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = model.hiddenStates(batch.tokens, batch.packing, on: tape)
    return .dense(hidden: tape.gatherRows(states, batch.scoredRows).value, head: head)
  }

  public var memory: DenseTeacherMemory {
    DenseTeacherMemory(forward: ForwardMemory(model), width: model.configuration.hiddenSize, head: head)
  }

  private var head: Head {
    Head(reading: model.head, vocabulary: identity.vocabularySize, precision: model.precision)
  }
}
