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
  /// - Parameters:
  ///   - teacher: The live teacher; nil where signals are read.
  ///   - beside: For so many scored rows, the bytes that a method holds while the loss is computed, and those that it takes
  ///     besides where that is done.
  package init(
    student: any CausalLanguageModel, head: Head, loss: HeadLoss, teacher: (any DenseTeacher)?,
    beside: @escaping (_ scored: Int) -> (held: Int, after: Int) = { _ in (0, 0) }
  ) {
    let pass = RecordedPass(student), dense = teacher.map { LiveSignals($0.memory) }
    self.init { rows, scored in
      let beside = beside(scored)
      let scratch =
        beside.held + max(loss.scratchBytes(rows: scored, head: head, teacher: dense?.memory.head), beside.after)
      let teacher = dense?.bytes(rows: rows, scored: scored, scratch: scratch) ?? 0
      return pass.kept(rows) + 2 * pass.states(scored) + max(scratch, teacher, pass.gradients(rows, scored: scored))
    }
  }

  /// What a recorded pass of a model takes of an arena, by its rows.
  ///
  /// Two small passes of the model at hand tell it (`RowMemory`), with dropout and recomputation as they are set. The model's
  /// gradients are zero afterwards; its parameters and its dropout's stream are as they were.
  struct RecordedPass {
    /// What the forward pass leaves for the backward pass.
    let kept: RowMemory
    /// The most that the backward pass takes beside it.
    let backward: RowMemory
    private let width: Int

    init(_ model: any CausalLanguageModel) {
      let stream = model.dropout?.stream
      let probes = RowMemory.probed.map { Self.train(model, rows: $0) }
      if let stream { model.dropout?.stream = stream }
      model.parameters.gradients?.fill(0)
      kept = RowMemory(probes.map(\.kept))
      backward = RowMemory(probes.map(\.backward))
      width = model.configuration.hiddenSize
    }

    /// Hidden states of some rows, or their gradients.
    func states(_ rows: Int) -> Int { StepMemory.bytes(rows * width) }

    /// The gradient of the scored rows has memory of its own, which that of all rows takes over where it is as large.
    func gradients(_ rows: Int, scored: Int) -> Int { backward(rows) + (scored == rows ? 0 : states(scored)) }

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

  /// What a live teacher takes of an arena while a loss looks at it.
  struct LiveSignals {
    let memory: DenseTeacherMemory

    init(_ memory: DenseTeacherMemory) { self.memory = memory }

    /// - Parameter scratch: What the loss takes, the teacher's logits included.
    func bytes(rows: Int, scored: Int, scratch: Int) -> Int {
      max(memory.forward.peak(rows), memory.forward.kept(rows) + StepMemory.bytes(scored * memory.width) + scratch)
    }
  }

  /// One forward pass of a student, a linear classifier on its scored rows, and the backward pass; before them, a look at the most
  /// probable token of a live teacher.
  package init(student: any CausalLanguageModel, classes: Int, teacher: (any DenseTeacher)?) {
    let pass = RecordedPass(student), dense = teacher?.memory
    self.init { rows, scored in
      // The scored rows and their gradient, the logits, theirs, and the tape's copy of it.
      let step = pass.kept(rows) + pass.backward(rows) + 2 * pass.states(scored) + 3 * Self.bytes(scored * classes)
      guard let dense else { return step }
      let look =
        dense.forward.kept(rows) + Self.bytes(scored * dense.width)
        + HeadLoss(divergence: nil).scratchBytes(rows: scored, head: dense.head, teacher: nil)
      return max(step, look, dense.forward.peak(rows))
    }
  }

  private static func bytes(_ elements: Int) -> Int { elements * MemoryLayout<Float>.stride }
}
