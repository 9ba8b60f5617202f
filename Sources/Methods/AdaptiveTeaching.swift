import Configuration
import Diagnostics
import Divergences
import Glibc
public import Models
import Sequences
public import Teachers
public import Tensor

/// Adaptive teaching (ATKD, arXiv 2402.11890): forward KL in its two parts (`Divergence/dkd(target:others:)`), without the factor by
/// which a teacher that is sure of the next token silences what it knows of the others. Positions are hard where 1 - p of the
/// token that follows is large, and easy elsewhere:
///
///     lambda mean over easy DKD + (1 - lambda) mean over hard (TKD + DKD)
///
/// The paper splits each mini-batch at its median; here one bound holds for the whole run, so that a step is the same however it
/// is cut, and the means are taken over the shares that the bound makes of the data.
public final class AdaptiveTeaching: Method {
  /// Keys under `objective`.
  public struct Settings: MethodSettings {
    public static let names = ["atkd"]
    public let name = "atkd"
    /// The weight of easy positions.
    public var lambda: Float = 0.2
    /// The share of the data's positions that are hard.
    public var hard: Double = 0.5
    /// From which 1 - p on a position is hard; nil for the quantile of the data that makes ``hard`` of them so.
    public var hardFrom: Double?
    public var divergenceWeight: Float = 1
    /// Applies to the fixed data only.
    public var crossEntropyWeight: Float = 0

    public var needsTeacher: Bool { divergenceWeight > 0 }
    public var hardShare: Double? { hardFrom == nil && divergenceWeight > 0 ? hard : nil }

    public init() {}

    private enum CodingKeys: String, CodingKey {
      case name, lambda, hard
      case hardFrom = "hard_from"
      case divergenceWeight = "divergence_weight"
      case crossEntropyWeight = "cross_entropy_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      lambda = try keys.decode(.lambda, default: lambda)
      hard = try keys.decode(.hard, default: hard)
      hardFrom = try keys.decodeIfPresent(Double.self, forKey: .hardFrom)
      divergenceWeight = try keys.decode(.divergenceWeight, default: divergenceWeight)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.lambda.check(lambda, in: 0...1)
      guard hard > 0 && hard < 1 else {
        throw Diagnostic.input(
          "\(hard) is not between 0 and 1, both left out", field: CodingKeys.hard.stringValue,
          remedy: "use 0.5, the paper's")
      }
      if let hardFrom { try CodingKeys.hardFrom.check(hardFrom, in: 0...1) }
      try CodingKeys.divergenceWeight.checkFinite(divergenceWeight)
      try CodingKeys.crossEntropyWeight.checkFinite(crossEntropyWeight)
      guard divergenceWeight > 0 || crossEntropyWeight > 0, divergenceWeight >= 0 && crossEntropyWeight >= 0 else {
        throw Diagnostic.input("the weights must not be negative, nor all zero")
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(lambda, forKey: .lambda)
      try keys.encode(hard, forKey: .hard)
      try keys.encodeIfPresent(hardFrom, forKey: .hardFrom)
      try keys.encode(divergenceWeight, forKey: .divergenceWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
    }

    public func method(of parts: MethodParts) -> any Method {
      AdaptiveTeaching(parts.student, self, vocabulary: parts.vocabulary)
    }
  }

  public let trained: [TrainedParameters]
  /// Holds ``MethodState/hardFrom`` where the settings leave it to the data.
  public var state = MethodState()
  private let settings: Settings
  private let student: any CausalLanguageModel
  private let head: Head
  private let loss: HeadLoss
  /// What easy and hard positions are compared by.
  private let easy: Divergence
  private let hard: Divergence

  /// - Parameter vocabulary: Leading ids that student, teacher and data share.
  public init(_ student: any CausalLanguageModel, _ settings: Settings, vocabulary: Int) {
    self.settings = settings
    self.student = student
    trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    head = Head(student.head, vocabulary: vocabulary, precision: student.precision)
    guard let easy = try? Divergence.dkd(target: 0, others: 1), let hard = try? Divergence.dkd(target: 1, others: 1)
    else { preconditionFailure("weights of 0 and 1 are weights") }
    (self.easy, self.hard) = (easy, hard)
    loss = HeadLoss(
      divergence: hard, divergenceWeight: settings.divergenceWeight, crossEntropyWeight: settings.crossEntropyWeight)
    if let from = settings.hardFrom { state.hardFrom = from }
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    var loss = loss
    if batch.isStudentOutput { loss.crossEntropyWeight = 0 }
    let packed = batch.packed
    let isHard = hardRows(batch, in: arena)
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    let weights = (
      easy: settings.lambda / Float(1 - settings.hard), hard: (1 - settings.lambda) / Float(settings.hard)
    )
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      loss.evaluate(
        hidden: hidden.value, head: head, targets: packed.targets,
        teacher: isHard == nil ? .none : batch.teacherRows(in: arena), rowDivergences: isHard?.map { $0 ? hard : easy },
        divergenceRowWeights: isHard?.map { $0 ? weights.hard : weights.easy }, scale: scale, hiddenGradient: gradient,
        arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      terms: [
        .init("divergence", weight: loss.divergenceWeight, sum: sums.divergence),
        .init("cross_entropy", weight: loss.crossEntropyWeight, sum: sums.crossEntropy),
        .init("hard", weight: 0, sum: Double(isHard?.count { $0 } ?? 0)),
      ], scoredPositions: sums.rows, tokens: packed.tokens.count, offender: batch.offender(sums))
  }

  /// Which rows are hard; nil where the teacher is not asked.
  private func hardRows(_ batch: MicroBatch, in arena: Arena) -> [Bool]? {
    guard settings.divergenceWeight > 0 else { return nil }
    let logProbs = arena.scratch { batch.targetLogProbs(in: arena) }
    guard let logProbs else { preconditionFailure("a sample without a teacher") }
    // Where nobody has looked at the data, half of what can be.
    let from = state.hardFrom ?? 0.5
    return logProbs.map { -expm1(Double($0)) >= from }
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, head: head, loss: loss, teacher: teacher)
  }
}

extension MethodState {
  /// From which 1 - p of the token that follows on a position is hard, where a method asks (``MethodSettings/hardShare``).
  public var hardFrom: Double? {
    get { numbers["hard_from"] }
    set { numbers["hard_from"] = newValue }
  }
}
