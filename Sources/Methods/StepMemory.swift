package import Divergences
package import Models
import NN
import RandomStreams
package import Teachers
import Tensor

/// What a micro-batch of a step takes of the arena, in bytes, by its rows.
public struct StepMemory {
  private let measure: (_ rows: Int, _ scored: Int) -> Int

  /// - Parameter measure: Bytes for so many rows, of which so many are scored.
  public init(_ measure: @escaping (_ rows: Int, _ scored: Int) -> Int) { self.measure = measure }

  /// The most that a micro-batch takes at any one time.
  ///
  /// - Parameters:
  ///   - rows: Rows that go through the models: tokens, but for the last one of each sequence.
  ///   - scored: How many of them are scored.
  public func bytes(rows: Int, scored: Int) -> Int { measure(rows, scored) }
}

extension StepMemory {
  /// One forward pass of a student, its fused head and loss, and the backward pass.
  ///
  /// Two small passes of the models at hand tell it (`RowMemory`), with dropout and recomputation as they are set; the head's
  /// part is known by `HeadLoss.scratchBytes`. The student's gradients are zero afterwards; its parameters and its dropout's
  /// stream are as they were.
  package init(student: any CausalLanguageModel, head: Head, loss: HeadLoss, teacher: (any DenseTeacher)?) {
    let stream = student.dropout?.stream
    let probes = RowMemory.probed.map { Self.train(student, rows: $0) }
    if let stream { student.dropout?.stream = stream }
    student.parameters.gradients?.fill(0)
    // What the forward pass leaves for the backward pass, and the most that this one takes beside it.
    let kept = RowMemory(probes.map(\.kept)), backward = RowMemory(probes.map(\.backward))
    let width = student.configuration.hiddenSize
    let dense = teacher?.memory
    self.init { rows, scored in
      let states = Self.bytes(scored * width)
      var scratch = loss.scratchBytes(rows: scored, head: head, teacher: dense?.head)
      if let dense {
        scratch = max(
          dense.forward.peak(rows), dense.forward.kept(rows) + Self.bytes(scored * dense.width) + scratch)
      }
      // The gradient of the scored rows has memory of its own, which that of all rows takes over where it is as large.
      let gradients = backward(rows) + (scored == rows ? 0 : states)
      return kept(rows) + 2 * states + max(scratch, gradients)
    }
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
