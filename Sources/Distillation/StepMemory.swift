import Divergences
package import Models
import NN
import RandomStreams
import Tensor

/// What a piece of a student's step takes of the arena, in bytes, by its rows.
///
/// Two small passes of the models at hand tell it (`RowMemory`), with dropout and recomputation as they are set; the
/// head's part is known by `HeadLoss.scratchBytes`.
package struct StepMemory: Sendable {
  /// What a student's forward pass leaves for the backward pass, and the most that this one takes beside it.
  private let kept: RowMemory
  private let backward: RowMemory
  /// Of a live teacher.
  private let teacher: ForwardMemory?
  private let width: Int
  private let teacherWidth: Int
  private let loss: HeadLoss
  private let head: Head
  private let teacherHead: Head?

  /// Runs both models on a few rows. The student's gradients are zero afterwards; its parameters and its dropout's stream
  /// are as they were.
  package init(
    student: any CausalLanguageModel, liveTeacher: (any CausalLanguageModel)?, objective: ObjectiveConfiguration,
    vocabulary: Int
  ) {
    loss = HeadLoss(
      divergence: objective.divergence, divergenceWeight: objective.divergenceWeight,
      crossEntropyWeight: objective.crossEntropyWeight)
    head = Head(student.head.weights, vocabulary: vocabulary, precision: student.precision)
    teacherHead = liveTeacher.map { Head($0.head.weights, vocabulary: vocabulary, precision: $0.precision) }
    width = student.configuration.hiddenSize
    teacherWidth = liveTeacher?.configuration.hiddenSize ?? 0
    let stream = student.dropout?.stream
    let probes = RowMemory.probed.map { Self.train(student, rows: $0) }
    if let stream { student.dropout?.stream = stream }
    student.parameters.gradients?.fill(0)
    kept = RowMemory(probes.map(\.kept))
    backward = RowMemory(probes.map(\.backward))
    teacher = liveTeacher.map { ForwardMemory($0) }
  }

  /// The most that a piece takes at any one time.
  ///
  /// - Parameters:
  ///   - rows: Rows that go through the models: tokens, but for the last one of each sequence.
  ///   - scored: How many of them are scored.
  package func bytes(rows: Int, scored: Int) -> Int {
    let states = Self.bytes(scored * width)
    var head = loss.scratchBytes(rows: scored, head: self.head, teacher: teacherHead)
    if let teacher {
      head = max(teacher.peak(rows), teacher.kept(rows) + Self.bytes(scored * teacherWidth) + head)
    }
    // The gradient of the scored rows has memory of its own, which that of all rows takes over where it is as large.
    let gradients = backward(rows) + (scored == rows ? 0 : states)
    return kept(rows) + 2 * states + max(head, gradients)
  }

  private static func bytes(_ elements: Int) -> Int { elements * MemoryLayout<Float>.stride }

  private static func train(_ model: any CausalLanguageModel, rows: Int) -> (kept: Int, backward: Int) {
    let arena = Arena()
    let tape = Tape(arena: arena, recording: true, precision: model.precision)
    let states = model.hiddenStates([Int32](repeating: 0, count: rows), RowMemory.packing(rows, model), on: tape)
    let kept = arena.usedBytes
    let gradient = arena.zeros(states.value.shape)
    let before = arena.usedBytes
    tape.backward(from: states, gradient: gradient)
    return (kept, arena.peakBytes - before)
  }
}
