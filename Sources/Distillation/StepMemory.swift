import Divergences
package import Models
import NN
import RandomStreams
import Tensor

/// What a piece of a student's step takes of the arena, in bytes, by its rows.
///
/// Everything that a model makes has a row for each row that goes in, so what it takes grows linearly. Two small passes
/// of the models at hand therefore tell it, whatever their family, with dropout and recomputation as they are set; the
/// head's part is known by `HeadLoss.scratchBytes`.
package struct StepMemory: Sendable {
  /// Bytes for a number of rows.
  private struct Line: Sendable {
    let fixed: Int
    let perRow: Int

    func callAsFunction(_ rows: Int) -> Int { fixed + perRow * rows }
  }

  /// What a student's forward pass leaves for the backward pass, and the most that this one takes beside it.
  private let kept: Line
  private let backward: Line
  /// The most that a live teacher's forward pass takes, and what it leaves.
  private let teacher: Line?
  private let teacherKept: Line?
  private let width: Int
  private let teacherWidth: Int
  private let loss: HeadLoss
  private let head: Weights
  private let teacherHead: (head: Weights, precision: Precision)?

  /// Runs both models on a few rows. The student's gradients are zero afterwards; its parameters and its dropout's stream
  /// are as they were.
  package init(
    student: any CausalLanguageModel, liveTeacher: (any CausalLanguageModel)?, objective: ObjectiveConfiguration,
    vocabulary: Int
  ) {
    loss = HeadLoss(
      objective: objective.objective, divergenceWeight: objective.divergenceWeight,
      crossEntropyWeight: objective.crossEntropyWeight, vocabulary: vocabulary, precision: student.precision)
    head = student.head.weights
    teacherHead = liveTeacher.map { ($0.head.weights, $0.precision) }
    width = student.configuration.hiddenSize
    teacherWidth = liveTeacher?.configuration.hiddenSize ?? 0
    let stream = student.dropout?.stream
    let probes = Self.probed.map { Self.train(student, rows: $0) }
    if let stream { student.dropout?.stream = stream }
    student.parameters.gradients?.fill(0)
    kept = Self.line(probes.map(\.kept))
    backward = Self.line(probes.map(\.backward))
    let teacherProbes = liveTeacher.map { model in Self.probed.map { Self.run(model, rows: $0) } }
    teacher = teacherProbes.map { Self.line($0.map(\.peak)) }
    teacherKept = teacherProbes.map { Self.line($0.map(\.kept)) }
  }

  /// The most that a piece takes at any one time.
  ///
  /// - Parameters:
  ///   - rows: Rows that go through the models: tokens, but for the last one of each sequence.
  ///   - scored: How many of them are scored.
  package func bytes(rows: Int, scored: Int) -> Int {
    let states = Self.bytes(scored * width)
    var head = loss.scratchBytes(rows: scored, head: self.head, teacher: teacherHead)
    if let teacher, let teacherKept {
      head = max(teacher(rows), teacherKept(rows) + Self.bytes(scored * teacherWidth) + head)
    }
    // The gradient of the scored rows has memory of its own, which that of all rows takes over where it is as large.
    let gradients = backward(rows) + (scored == rows ? 0 : states)
    return kept(rows) + 2 * states + max(head, gradients)
  }

  // MARK: Probes

  /// Whole cache lines of any row-by-row tensor, so that rounding changes nothing.
  private static let probed = [16, 32]

  /// The line through the values at ``probed``.
  private static func line(_ values: [Int]) -> Line {
    let perRow = (values[1] - values[0]) / (probed[1] - probed[0])
    return Line(fixed: values[0] - perRow * probed[0], perRow: perRow)
  }

  private static func bytes(_ elements: Int) -> Int { elements * MemoryLayout<Float>.stride }

  private static func train(_ model: any CausalLanguageModel, rows: Int) -> (kept: Int, backward: Int) {
    let arena = Arena()
    let tape = Tape(arena: arena, recording: true, precision: model.precision)
    let states = model.hiddenStates([Int32](repeating: 0, count: rows), packing(rows, model), on: tape)
    let kept = arena.usedBytes
    let gradient = arena.zeros(states.value.shape)
    let before = arena.usedBytes
    tape.backward(from: states, gradient: gradient)
    return (kept, arena.peakBytes - before)
  }

  private static func run(_ model: any CausalLanguageModel, rows: Int) -> (peak: Int, kept: Int) {
    let arena = Arena()
    let tape = Tape(arena: arena, recording: false, precision: model.precision)
    _ = model.hiddenStates([Int32](repeating: 0, count: rows), packing(rows, model), on: tape)
    return (arena.peakBytes, arena.usedBytes)
  }

  /// That many rows in sequences that the model's context holds.
  private static func packing(_ rows: Int, _ model: any CausalLanguageModel) -> Packing {
    let length = min(rows, model.configuration.contextLength)
    return Packing(lengths: stride(from: 0, to: rows, by: length).map { min(length, rows - $0) })
  }
}
