import Configuration
import Diagnostics
import Divergences
public import Models
import Sequences
public import Teachers
public import Tensor

/// On-policy distillation from the teacher's log-prob of each token alone: at each scored position log q - log p of the token that
/// is there, whose gradient is a policy gradient with the advantage log p - log q held.
///
/// On texts that the student draws at that step its mean is the gradient of reverse KL over the whole vocabulary (Lu et al.,
/// "On-Policy Distillation", 2025). On rollouts that were kept with what the teacher said of them it is Lightning-OPD (arXiv
/// 2604.13010), which holds as long as the student stays near the one that wrote them, and where that one was fine-tuned on
/// texts of the very teacher that scores.
public final class SampledReverseKL: Method {
  /// Keys under `objective`.
  public struct Settings: MethodSettings {
    public static let names = ["opd"]
    public let name = "opd"
    /// The file of texts, written by `decant generate`, that the student was fine-tuned on: the model that wrote it has to be
    /// the teacher. Nil for no check.
    public var fineTunedOn: String?
    public var needsTeacher: Bool { true }
    public var writtenByTeacher: String? { fineTunedOn }

    public init(fineTunedOn: String? = nil) { self.fineTunedOn = fineTunedOn }

    private enum CodingKeys: String, CodingKey {
      case name
      case fineTunedOn = "fine_tuned_on"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      fineTunedOn = try keys.decodeIfPresent(String.self, forKey: .fineTunedOn)
    }

    public func validate() {}

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encodeIfPresent(fineTunedOn, forKey: .fineTunedOn)
    }

    public func method(of parts: MethodParts) -> any Method {
      SampledReverseKL(parts.student, vocabulary: parts.vocabulary)
    }
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let head: Head
  private let loss = HeadLoss(divergence: nil, divergenceWeight: 1)

  /// - Parameter vocabulary: Leading ids that student, teacher and data share.
  public init(_ student: any CausalLanguageModel, vocabulary: Int) {
    self.student = student
    trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    head = Head(student.head, vocabulary: vocabulary, precision: student.precision)
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    let packed = batch.packed
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      guard let ofTeacher = batch.targetLogProbs(in: arena) else { preconditionFailure("a sample without a teacher") }
      return loss.evaluate(
        hidden: hidden.value, head: head, targets: packed.targets, teacher: .sampled(ofTeacher), scale: scale,
        hiddenGradient: gradient, arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      terms: [.init("divergence", weight: 1, sum: sums.divergence)], scoredPositions: sums.rows,
      tokens: packed.tokens.count, offender: batch.offender(sums))
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, head: head, loss: loss, teacher: teacher)
  }
}
