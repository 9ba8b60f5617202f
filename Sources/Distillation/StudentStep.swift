import Divergences
package import Models
package import Sequences
import RandomStreams
package import Tensor
package import TeacherSignal

/// One sample of a training batch.
package struct TrainingExample: Sendable {
  var sequence: TokenSequence
  /// The teacher's distributions; nil without a teacher, or where it is live.
  var signal: SparseSignal?
  /// Student outputs take no cross-entropy: it would teach the student to copy itself.
  var isStudentOutput: Bool
  /// What a message calls it, such as `data/train.jsonl line 12`.
  var name: @Sendable () -> String

  package init(
    sequence: TokenSequence, signal: SparseSignal?, isStudentOutput: Bool,
    name: @escaping @Sendable @autoclosure () -> String
  ) {
    self.sequence = sequence
    self.signal = signal
    self.isStudentOutput = isStudentOutput
    self.name = name
  }
}

/// What one optimizer step's forward and backward passes found.
package struct StepLoss: Sendable, Equatable {
  /// Divergence summed over scored positions, nats.
  var divergence = 0.0
  /// Cross-entropy summed over scored positions that take one, nats.
  var crossEntropy = 0.0
  package var scoredPositions = 0
  var tokens = 0
  /// Name of the first sample with a loss that is not finite.
  var offender: String?

  static func += (sum: inout StepLoss, part: StepLoss) {
    sum.divergence += part.divergence
    sum.crossEntropy += part.crossEntropy
    sum.scoredPositions += part.scoredPositions
    sum.tokens += part.tokens
    sum.offender = sum.offender ?? part.offender
  }
}

/// Forward and backward of a student over one batch, in pieces that fit the memory; ``StepMemory`` says how much a piece
/// takes.
package final class StudentStep {
  package let student: any CausalLanguageModel
  /// A live teacher, whose dense logits stand in for cached signals.
  let liveTeacher: (any CausalLanguageModel)?
  let objective: ObjectiveConfiguration
  let vocabulary: Int
  let tokensPerPiece: Int
  /// What pieces are computed in; between batches anything else may be.
  package let arena = Arena()

  package init(
    student: any CausalLanguageModel, liveTeacher: (any CausalLanguageModel)?, objective: ObjectiveConfiguration,
    vocabulary: Int, tokensPerPiece: Int
  ) {
    self.student = student
    self.liveTeacher = liveTeacher
    self.objective = objective
    self.vocabulary = vocabulary
    self.tokensPerPiece = tokensPerPiece
  }

  /// Adds the gradient of the batch's mean loss per scored position to the student's gradients.
  ///
  /// The mean is over the whole batch, however it is cut into pieces: each piece is scaled by one over the batch's
  /// scored positions, so the cut changes nothing but rounding.
  package func accumulate(_ examples: [TrainingExample]) throws -> StepLoss {
    let scored = examples.reduce(0) { $0 + $1.sequence.scoredPositions.count }
    guard scored > 0 else { return StepLoss() }
    var total = StepLoss()
    for piece in pieces(of: examples) {
      total += try accumulate(piece: piece, scale: 1 / Float(scored))
      if total.offender != nil { break }
    }
    return total
  }

  private func accumulate(piece: ArraySlice<TrainingExample>, scale: Float) throws -> StepLoss {
    let batch = PackedBatch(piece.map(\.sequence))
    guard !batch.scoredRows.isEmpty else { return StepLoss(tokens: batch.tokens.count) }
    arena.reset()
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    let states = student.hiddenStates(batch.tokens, batch.packing, on: tape)
    let hidden = tape.gatherRows(states, batch.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    let takesCrossEntropy = !piece.contains(where: \.isStudentOutput)
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      HeadLoss.evaluate(
        hidden: hidden.value, head: student.head, targets: batch.targets, teacher: teacherRows(batch, piece),
        objective: objective.objective, divergenceWeight: objective.divergenceWeight,
        crossEntropyWeight: takesCrossEntropy ? objective.crossEntropyWeight : 0, scale: scale,
        hiddenGradient: gradient, accumulateHeadGradient: true, vocabulary: vocabulary, precision: student.precision,
        arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      divergence: sums.divergence, crossEntropy: sums.crossEntropy, scoredPositions: sums.rows,
      tokens: batch.tokens.count, offender: offender(sums, batch, piece))
  }

  /// The teacher's side of a piece: its own signals laid end to end, or the live teacher's hidden states.
  private func teacherRows(_ batch: PackedBatch, _ piece: ArraySlice<TrainingExample>) -> TeacherRows {
    let signals = piece.compactMap(\.signal)
    if signals.count == piece.count, var joined = signals.first {
      for signal in signals.dropFirst() { joined.append(signal) }
      return .sparse(joined)
    }
    guard let liveTeacher else { return .none }
    let tape = Tape(arena: arena, recording: false, precision: liveTeacher.precision)
    let states = liveTeacher.hiddenStates(batch.tokens, batch.packing, on: tape)
    return .dense(
      hidden: tape.gatherRows(states, batch.scoredRows).value, head: liveTeacher.head.weights,
      precision: liveTeacher.precision)
  }

  private func offender(_ sums: LossSums, _ batch: PackedBatch, _ piece: ArraySlice<TrainingExample>) -> String? {
    guard !(sums.divergence + sums.crossEntropy).isFinite else { return nil }
    let row = sums.perRow.firstIndex { !($0.divergence + $0.crossEntropy).isFinite } ?? 0
    let index = batch.scoredRanges.firstIndex { $0.contains(row) } ?? 0
    return piece[piece.startIndex + index].name()
  }

  /// Student outputs never share a piece with fixed data, since their losses differ.
  private func pieces(of examples: [TrainingExample]) -> [ArraySlice<TrainingExample>] {
    Batches.inOrder(lengths: examples.map(\.sequence.count), tokens: tokensPerPiece) { first, next in
      examples[first].isStudentOutput == examples[next].isStudentOutput
    }.map { examples[$0] }
  }
}
