import Configuration
import Diagnostics
import Glibc
public import Models
import NN
import RandomStreams
import Sequences
public import Teachers
public import Tensor

/// Pre-training with the teacher's predictions (PTP; Pea-KD, arXiv 2009.14822): before it is distilled, the student learns to tell of
/// each token whether the teacher would have written it, and how sure the teacher was. The four classes of a scored position are
///
///     right and sure, right and unsure, wrong and sure, wrong and unsure
///
/// right where the token that follows is the teacher's most probable one, sure where that one's probability lies above a bound,
/// one for positions where the teacher is right and one for those where it is wrong. The loss is the cross-entropy of a linear
/// classifier on the hidden state, after the final norm, of the token itself: the one before it has not seen whether the teacher
/// was right. The classifier trains beside the student, and is left behind when the run ends. A head that is not the token
/// embedding gets no gradient.
///
/// The last token of a text is no input, here as everywhere, so nothing has seen it: its position has no class and adds nothing.
/// Means are over all scored positions, as every method's; `classified` says how many of them have a class.
public final class TeacherPredictionPretraining: Method {
  /// Keys under `objective`.
  public struct Settings: MethodSettings {
    public static let names = ["ptp"]
    public let name = "ptp"
    /// Above which probability the teacher is sure where it is right; nil for the median of such positions of the data.
    public var sureRight: Double?
    /// The same where it is wrong.
    public var sureWrong: Double?

    public var needsTeacher: Bool { true }
    public var asksForConfidence: Bool { sureRight == nil || sureWrong == nil }

    public init() {}

    private enum CodingKeys: String, CodingKey {
      case name
      case sureRight = "sure_right"
      case sureWrong = "sure_wrong"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      sureRight = try keys.decodeIfPresent(Double.self, forKey: .sureRight)
      sureWrong = try keys.decodeIfPresent(Double.self, forKey: .sureWrong)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.sureRight.check(sureRight, in: 0...1)
      try CodingKeys.sureWrong.check(sureWrong, in: 0...1)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encodeIfPresent(sureRight, forKey: .sureRight)
      try keys.encodeIfPresent(sureWrong, forKey: .sureWrong)
    }

    public func method(of parts: MethodParts) -> any Method {
      TeacherPredictionPretraining(parts.student, self, seed: parts.seed)
    }
  }

  /// What the teacher made of a token.
  public enum Judgement: Int, Sendable, CaseIterable {
    case rightAndSure, rightAndUnsure, wrongAndSure, wrongAndUnsure

    /// - Parameter sureFrom: The bound that goes with right or wrong; a probability above it is sure.
    public init(isRight: Bool, probability: Double, sureFrom: Double) {
      self =
        isRight
        ? probability > sureFrom ? .rightAndSure : .rightAndUnsure
        : probability > sureFrom ? .wrongAndSure : .wrongAndUnsure
    }
  }

  public let trained: [TrainedParameters]
  /// Holds ``MethodState/sureRight`` and ``MethodState/sureWrong``.
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let classifier: Linear

  /// - Parameter seed: Of what the classifier begins with.
  public init(_ student: any CausalLanguageModel, _ settings: Settings, seed: UInt64) {
    self.student = student
    func classifier(_ scope: ParameterScope) -> Linear {
      Linear(
        scope["classifier"], inputs: student.configuration.hiddenSize, outputs: Judgement.allCases.count, bias: true,
        standardDeviation: 0.02)
    }
    let parameters = ParameterBuffer(ParameterScope.declarations { _ = classifier($0) })
    parameters.allocateGradients()
    var stream = RandomStream(seed: seed, name: "ptp classifier")
    parameters.initialize(&stream)
    self.classifier = classifier(ParameterScope(parameters))
    trained = [
      TrainedParameters(TrainedParameters.student, student.parameters), TrainedParameters("ptp_classifier", parameters),
    ]
    state.sureRight = settings.sureRight
    state.sureWrong = settings.sureWrong
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    let packed = batch.packed
    guard let choices = arena.scratch({ batch.teacherChoices(in: arena) }) else {
      preconditionFailure("a sample without a teacher")
    }
    let seen = packed.rowsOfTargets
    let classes = zip(seen, zip(choices, packed.targets)).compactMap { $0 == nil ? nil : judgement(of: $1.0, $1.1) }
    var loss = StepLoss(
      terms: [
        .init("class_error", weight: 1, sum: 0), .init("classified", weight: 0, sum: Double(classes.count)),
        .init("classified_right", weight: 0, sum: 0),
      ], scoredPositions: packed.scoredRows.count, tokens: packed.tokens.count)
    guard !classes.isEmpty else { return loss }
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [classified rows, hidden size] and [classified rows, 4].
    let states = student.hiddenStates(packed, on: tape)
    let logits = classifier(tape.gatherRows(states, seen.compactMap(\.self)), on: tape)
    let gradient = arena.tensor(logits.value.shape)
    let rows = Self.crossEntropy(logits.value, classes, scale: scale, gradient: gradient)
    loss.terms[0].sum = rows.reduce(0) { $0 + $1.loss }
    loss.terms[2].sum = Double(rows.count(where: \.isRight))
    let isSaid = choices.allSatisfy { $0.logProb.isFinite }
    guard loss.terms[0].sum.isFinite && isSaid else {
      loss.terms[0].sum = .nan
      loss.offender = offender(batch, rows.map(\.loss), seen, isSaid: isSaid)
      return loss
    }
    tape.backward(from: logits, gradient: gradient)
    return loss
  }

  private func judgement(of choice: TeacherChoice, _ token: Int32) -> Judgement {
    let isRight = choice.id == token
    // Where nobody has looked at the data, and gave no bound, half of what can be.
    let bound = (isRight ? state.sureRight : state.sureWrong) ?? 0.5
    return Judgement(isRight: isRight, probability: exp(Double(choice.logProb)), sureFrom: bound)
  }

  /// The cross-entropy of each row of logits [rows, 4] with its class, nats, and whether the class is the most probable; writes
  /// `scale` times the gradient of their sum, softmax less one at the class.
  private static func crossEntropy(
    _ logits: Tensor, _ classes: [Judgement], scale: Float, gradient: Tensor
  ) -> [(loss: Double, isRight: Bool)] {
    let values = logits.array(), columns = logits.columns
    var gradients: [Float] = []
    gradients.reserveCapacity(values.count)
    let rows = classes.enumerated().map { row, judgement in
      let line = values[row * columns..<(row + 1) * columns].map(Double.init), own = line[judgement.rawValue]
      let most = line.max() ?? 0, sum = most + log(line.reduce(0) { $0 + exp($1 - most) })
      for (column, logit) in line.enumerated() {
        gradients.append(scale * Float(exp(logit - sum) - (column == judgement.rawValue ? 1 : 0)))
      }
      return (loss: sum - own, isRight: own == most)
    }
    gradient.copy(from: gradients)
    return rows
  }

  /// Name of the first example whose loss is not finite, or of the micro-batch's first where the teacher's numbers are not.
  private func offender(_ batch: MicroBatch, _ losses: [Double], _ seen: [Int?], isSaid: Bool) -> String? {
    guard isSaid else { return batch.examples.first?.name }
    let scored = seen.indices.filter { seen[$0] != nil }
    let row = zip(scored, losses).first { !$1.isFinite }?.0 ?? 0
    return batch.name(ofScoredRow: row)
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, classes: Judgement.allCases.count, teacher: teacher)
  }
}

extension MethodState {
  /// Above which probability the teacher is sure of its most probable token where that is the one that follows, for a method that
  /// asks (``MethodSettings/asksForConfidence``).
  public var sureRight: Double? {
    get { numbers["sure_right"] }
    set { numbers["sure_right"] = newValue }
  }

  /// The same where another token follows.
  public var sureWrong: Double? {
    get { numbers["sure_wrong"] }
    set { numbers["sure_wrong"] = newValue }
  }
}
