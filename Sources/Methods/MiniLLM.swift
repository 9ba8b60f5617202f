import Configuration
import Diagnostics
import Divergences
import Glibc
public import Models
import Sequences
public import Teachers
public import Tensor

/// MiniLLM (arXiv 2306.08543): the reverse KL of whole texts, minimised by a policy gradient on what the student writes, with its
/// three stabilisers. At token t of a text of T tokens, with r = log p - log q of the token that is there,
///
///     w_t grad KL(q || p)  -  w_t A_t grad log q(y_t),  A_t = mean of r over the tokens behind t
///
/// The first part is that of the token by itself, over the whole vocabulary (single-step decomposition, equation 3 and 4); the second
/// what it leads to, of which the mean and not the sum is taken (length normalisation, equation 7). Texts are drawn from
/// a p + (1 - a) q, so that degenerate ones are rare, and w_t = q / (a p + (1 - a) q) makes up for that (teacher-mixed sampling,
/// equation 5 and 6). A text is learnt once, at the step that it was written at: there is no ratio to clip.
public final class MiniLLM: Method {
  /// Keys under `objective`.
  public struct Settings: MethodSettings, Equatable {
    public static let names = ["minillm"]
    public let name = "minillm"
    /// a: the teacher's say in each token that the student writes.
    public var teacherMix: Float = 0.2
    /// The weight of what a token leads to; at 0 it is reverse KL of single steps.
    public var longWeight: Float = 1

    public init() {}

    public var needsTeacher: Bool { true }
    public var texts: TextNeed { .own }
    public var mixedIn: Float { teacherMix }

    private enum CodingKeys: String, CodingKey {
      case name
      case teacherMix = "teacher_mix"
      case longWeight = "long_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      teacherMix = try keys.decode(.teacherMix, default: teacherMix)
      longWeight = try keys.decode(.longWeight, default: longWeight)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.teacherMix.check(teacherMix, in: 0...0.999)
      try CodingKeys.longWeight.checkNotNegative(longWeight)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(teacherMix, forKey: .teacherMix)
      try keys.encode(longWeight, forKey: .longWeight)
    }

    public func method(of parts: MethodParts) -> any Method {
      MiniLLM(parts.student, self, vocabulary: parts.vocabulary)
    }

    /// w of a token that was drawn from the mixture.
    public func importance(logP: Double, logQ: Double) -> Double {
      let mix = Double(teacherMix)
      // q / (a p + (1 - a) q), by the ratio of p and q alone.
      return 1 / (mix * exp(min(logP - logQ, 700)) + 1 - mix)
    }

    /// A of each token of a text: what is behind it, on average; 0 of the last, behind which nothing is.
    public func advantages(_ rewards: [Double]) -> [Double] {
      var behind = 0.0
      return rewards.indices.reversed().map { index in
        defer { behind += rewards[index] }
        let count = rewards.count - 1 - index
        return count == 0 ? 0 : Double(longWeight) * behind / Double(count)
      }.reversed()
    }
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let settings: Settings
  private let head: Head
  /// The same, of which nothing is learnt.
  private let reading: Head
  private let loss = HeadLoss(divergence: .rkl, crossEntropyWeight: 1)

  /// - Parameter vocabulary: Leading ids that student, teacher and data share.
  public init(_ student: any CausalLanguageModel, _ settings: Settings, vocabulary: Int) {
    self.student = student
    self.settings = settings
    trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    head = Head(student.head, vocabulary: vocabulary, precision: student.precision)
    reading = Head(reading: student.head, vocabulary: vocabulary, precision: student.precision)
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    let packed = batch.packed
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    let (weights, advantages) = arena.scratch { rowWeights(batch, hidden.value, arena) }
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      loss.evaluate(
        hidden: hidden.value, head: head, targets: packed.targets, teacher: batch.teacherRows(in: arena),
        divergenceRowWeights: weights, crossEntropyRowWeights: advantages, scale: scale, hiddenGradient: gradient,
        arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      terms: [
        .init("divergence", weight: 1, sum: sums.divergence),
        .init("long_term", weight: 1, sum: sums.crossEntropy),
      ], scoredPositions: sums.rows, tokens: packed.tokens.count, offender: batch.offender(sums))
  }

  /// w of each scored row, and w A, which the log-prob of its token is multiplied by; both are held.
  private func rowWeights(
    _ batch: MicroBatch, _ hidden: Tensor, _ arena: Arena
  ) -> (weights: [Float], advantages: [Float]) {
    let packed = batch.packed
    guard let ofTeacher = batch.targetLogProbs(in: arena) else { preconditionFailure("a sample without a teacher") }
    let ofStudent = HeadLoss(divergence: nil)
      .evaluate(hidden: hidden, head: reading, targets: packed.targets, teacher: .none, arena: arena)
    // The floor of reverse KL: what the teacher rules out costs no infinity here either.
    let logP = ofTeacher.map { Double(max($0, Outcomes.teacherLogFloor)) }
    let logQ = ofStudent.perRow.map { -$0.crossEntropy }
    let weights = zip(logP, logQ).map { settings.importance(logP: $0, logQ: $1) }
    let advantages = packed.scoredRanges.flatMap { range in settings.advantages(range.map { logP[$0] - logQ[$0] }) }
    return (weights.map { Float($0) }, zip(weights, advantages).map { Float($0 * $1) })
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, head: head, loss: loss, teacher: teacher)
  }
}
