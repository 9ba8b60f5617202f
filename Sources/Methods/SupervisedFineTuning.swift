import Configuration
import Diagnostics
import Divergences
public import Models
import Sequences
public import Teachers
public import Tensor

/// Supervised fine-tuning: cross-entropy with the data's own tokens, and no teacher.
public final class SupervisedFineTuning: Method {
  /// Keys under `objective`, beside `name: sft`.
  public struct Settings: MethodSettings {
    public static let names = ["sft"]
    public var name: String { Self.names[0] }
    public var needsTeacher: Bool { false }
    /// Weight of the cross-entropy, above 0.
    public var crossEntropyWeight: Float = 1

    public init() {}

    private enum CodingKeys: String, CodingKey {
      case name
      case crossEntropyWeight = "cross_entropy_weight"
      // Written by earlier versions for every objective; they mean nothing here.
      case alpha, beta
      case divergenceWeight = "divergence_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      for key in [CodingKeys.alpha, .beta, .divergenceWeight] { _ = try keys.decodeIfPresent(Float.self, forKey: key) }
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.crossEntropyWeight.checkFinite(crossEntropyWeight)
      guard crossEntropyWeight > 0 else { throw Diagnostic.input("the weights must not be negative, nor all zero") }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
    }

    public func method(of parts: MethodParts) -> any Method {
      SupervisedFineTuning(parts.student, self, vocabulary: parts.vocabulary)
    }
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let settings: Settings
  private let head: Head
  private let loss: HeadLoss

  /// - Parameter vocabulary: Leading ids of the student's that count.
  public init(_ student: any CausalLanguageModel, _ settings: Settings = Settings(), vocabulary: Int) {
    self.student = student
    self.settings = settings
    trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    head = Head(student.head, vocabulary: vocabulary, precision: student.precision)
    loss = HeadLoss(divergence: nil, crossEntropyWeight: settings.crossEntropyWeight)
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    let packed = batch.packed
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    // Logits have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      loss.evaluate(
        hidden: hidden.value, head: head, targets: packed.targets, teacher: .none, scale: scale,
        hiddenGradient: gradient, arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      terms: [.init("cross_entropy", weight: settings.crossEntropyWeight, sum: sums.crossEntropy)],
      scoredPositions: sums.rows, tokens: packed.tokens.count, offender: batch.offender(sums))
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, head: head, loss: loss, teacher: nil)
  }
}
