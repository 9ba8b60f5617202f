import Configuration
import Diagnostics
import Divergences
import Glibc
public import Models
import Sequences
public import Teachers
public import Tensor

/// DistiLLM-2 (arXiv 2503.07067, equation 2 and section 3.2): skew KL on what the teacher wrote, skew reverse KL on what the student
/// wrote to the same prompts,
///
///     (1 - beta) KL(p || a p + (1 - a) q)  and  beta KL(q || a q + (1 - a) p)
///
/// at each scored position. beta rises with the run. From a share of the run on each text has a skew of its own: where p and q
/// are far apart it is close to the largest, where they are near, to the smallest.
public final class ContrastiveDistillation: Method {
  /// Keys under `objective`.
  public struct Settings: MethodSettings, Equatable {
    public static let names = ["distillm-2"]
    public let name = "distillm-2"
    /// The skew at first, and the largest of any text.
    public var alpha: Float = 0.1
    /// The smallest skew of any text.
    public var leastAlpha: Float = 0.01
    /// The share of the run after which texts have skews of their own; 1 for never. Until then the gap is measured that
    /// they are set by.
    public var adaptsFrom: Float = 1 / 3
    /// The weight of what the student wrote, at the first step and at the last.
    public var firstBeta: Float = 0.5
    public var lastBeta: Float = 1

    public init() {}

    public var needsTeacher: Bool { true }
    public var texts: TextNeed { .pairs }

    private enum CodingKeys: String, CodingKey {
      case name, alpha
      case leastAlpha = "least_alpha"
      case adaptsFrom = "adapts_from"
      case firstBeta = "first_beta"
      case lastBeta = "last_beta"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      alpha = try keys.decode(.alpha, default: alpha)
      leastAlpha = try keys.decode(.leastAlpha, default: min(leastAlpha, alpha))
      adaptsFrom = try keys.decode(.adaptsFrom, default: adaptsFrom)
      firstBeta = try keys.decode(.firstBeta, default: firstBeta)
      lastBeta = try keys.decode(.lastBeta, default: lastBeta)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.alpha.check(alpha, in: 1e-6...0.999)
      try CodingKeys.leastAlpha.check(leastAlpha, in: 1e-6...alpha)
      try CodingKeys.adaptsFrom.check(adaptsFrom, in: 0...1)
      try CodingKeys.firstBeta.check(firstBeta, in: 0...1)
      try CodingKeys.lastBeta.check(lastBeta, in: 0...1)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(alpha, forKey: .alpha)
      try keys.encode(leastAlpha, forKey: .leastAlpha)
      try keys.encode(adaptsFrom, forKey: .adaptsFrom)
      try keys.encode(firstBeta, forKey: .firstBeta)
      try keys.encode(lastBeta, forKey: .lastBeta)
    }

    public func method(of parts: MethodParts) -> any Method {
      ContrastiveDistillation(parts.student, self, vocabulary: parts.vocabulary)
    }

    /// The weight of what the student wrote, so far into the run.
    public func beta(progress: Double) -> Float { firstBeta + (lastBeta - firstBeta) * Float(progress) }

    /// The skew of one text (section 3.2): to first order log(p / m) is (1 - alpha) (p - q), which alpha is to keep at what it
    /// was on average.
    ///
    /// - Parameters:
    ///   - gap: p - q of a text of the teacher's, q - p of one of the student's: exp of their mean log-probs of a token.
    ///   - mean: Of the gaps so far.
    public func alpha(gap: Double, mean: Double) -> Float {
      guard gap != 0, gap.isFinite else { return alpha }
      return min(max(Float(1 - (1 - Double(alpha)) * mean / gap), leastAlpha), alpha)
    }
  }

  public let trained: [TrainedParameters]
  /// Sums of the gaps of either kind of text, and how many they are of, until skews adapt.
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let settings: Settings
  private let head: Head
  /// The same, of which nothing is learnt.
  private let reading: Head

  /// - Parameter vocabulary: Leading ids that student, teacher and data share.
  public init(_ student: any CausalLanguageModel, _ settings: Settings, vocabulary: Int) {
    self.student = student
    self.settings = settings
    trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    head = Head(student.head, vocabulary: vocabulary, precision: student.precision)
    reading = Head(reading: student.head, vocabulary: vocabulary, precision: student.precision)
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    let beta = settings.beta(progress: batch.progress), isOwn = batch.isStudentOutput
    let weight = isOwn ? beta : 1 - beta
    let loss = HeadLoss(divergence: isOwn ? .srkl : .skl, divergenceWeight: weight)
    let packed = batch.packed
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    // Before the loss, whose memory this takes.
    let gaps = arena.scratch { self.gaps(batch, hidden.value, arena) }
    let alphas = alphas(gaps, isOwn: isOwn, progress: batch.progress)
    let divergences = zip(packed.scoredRanges, alphas).flatMap { range, alpha in
      [Divergence](repeating: Self.divergence(isOwn: isOwn, alpha: alpha), count: range.count)
    }
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      loss.evaluate(
        hidden: hidden.value, head: head, targets: packed.targets, teacher: batch.teacherRows(in: arena),
        rowDivergences: divergences, scale: scale, hiddenGradient: gradient, arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    return StepLoss(
      terms: [
        // Each weighed by its own, so that both are of one weight.
        .init("divergence", weight: 1, sum: Double(weight) * sums.divergence),
        .init(
          "alpha", weight: 0, sum: zip(packed.scoredRanges, alphas).reduce(0) { $0 + Double($1.0.count) * Double($1.1) }
        ),
      ], scoredPositions: sums.rows, tokens: packed.tokens.count, offender: batch.offender(sums))
  }

  private static func divergence(isOwn: Bool, alpha: Float) -> Divergence {
    // Within its bounds, as the settings are checked.
    (try? isOwn ? .srkl(alpha: alpha) : .skl(alpha: alpha)) ?? (isOwn ? .srkl : .skl)
  }

  // MARK: Skews

  /// How much more probable each text is to whoever wrote it than to the other: exp of mean log-probs, their difference.
  /// Nil for a text without a scored position.
  private func gaps(_ batch: MicroBatch, _ hidden: Tensor, _ arena: Arena) -> [Double?] {
    let packed = batch.packed
    guard let ofTeacher = batch.targetLogProbs(in: arena) else { preconditionFailure("a sample without a teacher") }
    let ofStudent = HeadLoss(divergence: nil)
      .evaluate(hidden: hidden, head: reading, targets: packed.targets, teacher: .none, arena: arena)
    return packed.scoredRanges.map { range in
      guard !range.isEmpty else { return nil }
      let count = Double(range.count)
      let p = exp(range.reduce(0.0) { $0 + Double(ofTeacher[$1]) } / count)
      let q = exp(-range.reduce(0.0) { $0 + ofStudent.perRow[$1].crossEntropy } / count)
      return batch.isStudentOutput ? q - p : p - q
    }
  }

  /// The skew of each text; before texts have their own, their gaps are added up.
  private func alphas(_ gaps: [Double?], isOwn: Bool, progress: Double) -> [Float] {
    let (sum, count) = isOwn ? ("student_gap", "student_texts") : ("teacher_gap", "teacher_texts")
    guard progress >= Double(settings.adaptsFrom) else {
      for case let gap? in gaps where gap.isFinite {
        state.numbers[sum, default: 0] += gap
        state.numbers[count, default: 0] += 1
      }
      return gaps.map { _ in settings.alpha }
    }
    guard let texts = state.numbers[count], texts > 0 else { return gaps.map { _ in settings.alpha } }
    let mean = (state.numbers[sum] ?? 0) / texts
    return gaps.map { settings.alpha(gap: $0 ?? 0, mean: mean) }
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, head: head, loss: HeadLoss(divergence: .srkl), teacher: teacher)
  }
}
