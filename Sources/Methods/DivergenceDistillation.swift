import Configuration
import Diagnostics
public import Divergences
public import Models
import Sequences
public import Teachers
public import Tensor

/// Distillation by a divergence: at each scored position `divergence_weight` D(teacher, student) + `cross_entropy_weight` CE
/// with the data's own token. With `skl` or `srkl` and a replay of student outputs it is DistiLLM (arXiv 2402.03898).
public final class DivergenceDistillation: Method {
  /// Keys under `objective`, beside the divergence's name.
  public struct Settings: MethodSettings {
    public static let names = Objective.Name.allCases.filter { $0 != .sft }.map(\.rawValue)
    public var name: String { divergence.name.rawValue }
    /// Which divergence, and its parameters.
    public var divergence: Objective
    public var divergenceWeight: Float = 1
    /// Applies to the fixed data only: on student outputs it would teach the student to copy itself.
    public var crossEntropyWeight: Float = 0

    public init(_ divergence: Objective) { self.divergence = divergence }

    public var needsTeacher: Bool { divergenceWeight > 0 }

    private enum CodingKeys: String, CodingKey {
      case name, alpha, beta
      case divergenceWeight = "divergence_weight"
      case crossEntropyWeight = "cross_entropy_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      do {
        divergence = try Objective(
          name: try keys.decode(Objective.Name.self, forKey: .name),
          alpha: try keys.value(.alpha, default: Objective.skl.alpha),
          beta: try keys.value(.beta, default: Objective.jsd.beta))
      } catch let fault as Diagnostic where fault.file == nil {
        guard let key = fault.field.flatMap(CodingKeys.init) else { throw fault }
        throw keys.fault(key, fault.message, remedy: fault.remedy)
      }
      divergenceWeight = try keys.finite(.divergenceWeight, default: divergenceWeight)
      crossEntropyWeight = try keys.finite(.crossEntropyWeight, default: crossEntropyWeight)
      guard divergenceWeight > 0 || crossEntropyWeight > 0, divergenceWeight >= 0 && crossEntropyWeight >= 0 else {
        throw DecodingError.dataCorrupted(
          .init(codingPath: decoder.codingPath, debugDescription: "the weights must not be negative, nor all zero"))
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(divergence.name, forKey: .name)
      try keys.encode(divergence.alpha, forKey: .alpha)
      try keys.encode(divergence.beta, forKey: .beta)
      try keys.encode(divergenceWeight, forKey: .divergenceWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
    }

    public func method(training student: any CausalLanguageModel, vocabulary: Int) -> any Method {
      DivergenceDistillation(student, self, vocabulary: vocabulary)
    }
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let student: any CausalLanguageModel
  /// Of the fixed data.
  private let loss: HeadLoss

  /// - Parameter vocabulary: Leading ids that student, teacher and data share.
  public init(_ student: any CausalLanguageModel, _ settings: Settings, vocabulary: Int) {
    self.student = student
    trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    loss = HeadLoss(
      objective: settings.divergence, divergenceWeight: settings.divergenceWeight,
      crossEntropyWeight: settings.crossEntropyWeight, vocabulary: vocabulary, precision: student.precision)
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    var loss = loss
    if batch.isStudentOutput { loss.crossEntropyWeight = 0 }
    let packed = batch.packed
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed.tokens, packed.packing, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      loss.evaluate(
        hidden: hidden.value, head: student.head, targets: packed.targets, teacher: batch.teacherRows(in: arena),
        scale: scale, hiddenGradient: gradient, accumulateHeadGradient: true, arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      terms: [
        .init("divergence", weight: loss.divergenceWeight, sum: sums.divergence),
        .init("cross_entropy", weight: loss.crossEntropyWeight, sum: sums.crossEntropy),
      ], scoredPositions: sums.rows, tokens: packed.tokens.count, offender: batch.offender(sums))
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, loss: loss, teacher: teacher)
  }
}
