import Configuration
import Diagnostics
import Divergences
public import Models
import NN
import RandomStreams
import Sequences
public import Teachers
public import Tensor

/// Co-training and co-distillation (CTCD, arXiv 2311.02849): the student and a partner, of whatever size, learn in one step,
/// each from the data and from what the other says of it:
///
///     L_student = CE(y, q) + alpha KL(sg[p] || q),   L_partner = CE(y, p) + alpha KL(sg[q] || p)
///
/// Both distributions are whole, since both models are here. With a teacher whose signals are kept or live, each learns from that
/// too, by `divergence_weight` KL(teacher || own): the paper's Community KD. No gradient flows from one into the other, and
/// each is clipped by its own norm, so that with an alpha of 0 two runs take place beside each other.
public final class CoDistillation: Method {
  /// Keys under `objective`; which model the partner is stands in a section of its own.
  public struct Settings: MethodSettings {
    public static let names = ["ctcd"]
    public let name = "ctcd"
    /// The weight of what the other one says.
    public var alpha: Float = 0.5
    /// What both models' logits are divided by where they are compared with each other.
    public var temperature: Float = 1
    /// The weight of what a teacher says besides, of each of them.
    public var divergenceWeight: Float = 0
    /// Applies to the fixed data only.
    public var crossEntropyWeight: Float = 1

    public var needsTeacher: Bool { divergenceWeight > 0 }
    public var needsPartner: Bool { true }

    public init() {}

    private enum CodingKeys: String, CodingKey {
      case name, alpha, temperature
      case divergenceWeight = "divergence_weight"
      case crossEntropyWeight = "cross_entropy_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      alpha = try keys.decode(.alpha, default: alpha)
      temperature = try keys.decode(.temperature, default: temperature)
      divergenceWeight = try keys.decode(.divergenceWeight, default: divergenceWeight)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      try keys.checked(validate)
    }

    public func validate() throws {
      try CodingKeys.temperature.checkFinite(temperature)
      try CodingKeys.temperature.checkAboveZero(temperature)
      let weights = [
        (CodingKeys.alpha, alpha), (.divergenceWeight, divergenceWeight), (.crossEntropyWeight, crossEntropyWeight),
      ]
      for (key, weight) in weights { try key.checkFinite(weight) }
      guard weights.allSatisfy({ $0.1 >= 0 }), divergenceWeight > 0 || crossEntropyWeight > 0 else {
        throw Diagnostic.input(
          "the weights must not be negative, nor those of the data and of a teacher both zero: two models that learn from "
            + "each other alone learn nothing")
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(alpha, forKey: .alpha)
      try keys.encode(temperature, forKey: .temperature)
      try keys.encode(divergenceWeight, forKey: .divergenceWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
    }

    public func method(of parts: MethodParts) -> any Method {
      guard let partner = parts.partner else { preconditionFailure("ctcd without a partner") }
      return CoDistillation(parts.student, partner, self, vocabulary: parts.vocabulary)
    }
  }

  /// The name of the partner's folder in a checkpoint.
  public static let partner = "partner"

  /// One of the two.
  private struct Learner {
    let model: any CausalLanguageModel
    let head: Head
    /// As the other one reads it: nothing flows into it.
    let read: Head

    init(_ model: any CausalLanguageModel, vocabulary: Int) {
      self.model = model
      head = Head(model.head, vocabulary: vocabulary, precision: model.precision)
      read = Head(reading: model.head, vocabulary: vocabulary, precision: model.precision)
    }
  }

  /// A loss over a learner's head, and whether it is against the other one or against what is known of the data.
  private typealias Part = (loss: HeadLoss, isPeer: Bool)

  public let trained: [TrainedParameters]
  private let settings: Settings
  /// The student, and the partner.
  private let learners: [Learner]

  /// - Parameter vocabulary: Leading ids that both, teacher and data share.
  public init(
    _ student: any CausalLanguageModel, _ partner: any CausalLanguageModel, _ settings: Settings, vocabulary: Int
  ) {
    self.settings = settings
    learners = [student, partner].map { Learner($0, vocabulary: vocabulary) }
    trained = [
      TrainedParameters(TrainedParameters.student, student.parameters), TrainedParameters(Self.partner, partner),
    ]
  }

  /// The stream of the partner's dropout; the student's is the run's.
  public var state: MethodState {
    get {
      var state = MethodState()
      state.streams[Self.partner] = learners[1].model.dropout?.stream
      return state
    }
    set {
      if let stream = newValue.streams[Self.partner] { learners[1].model.dropout?.stream = stream }
    }
  }

  /// The parts of each one's loss: where nothing but the data and the other one say something, in one pass over the logits.
  private func parts(isStudentOutput: Bool) -> [Part] {
    let crossEntropyWeight = isStudentOutput ? 0 : settings.crossEntropyWeight
    func peer(crossEntropyWeight: Float) -> Part {
      let loss = HeadLoss(
        divergence: .fkl, temperature: settings.temperature, divergenceWeight: settings.alpha,
        crossEntropyWeight: crossEntropyWeight)
      return (loss, true)
    }
    let known = HeadLoss(
      divergence: settings.needsTeacher ? .fkl : nil, divergenceWeight: settings.divergenceWeight,
      crossEntropyWeight: crossEntropyWeight)
    if settings.alpha == 0 { return [(known, false)] }
    return settings.needsTeacher
      ? [(known, false), peer(crossEntropyWeight: 0)] : [peer(crossEntropyWeight: crossEntropyWeight)]
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    let packed = batch.packed
    // Of each, [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let passes = learners.map { learner in
      let tape = Tape(arena: arena, recording: true, precision: learner.model.precision)
      let states = learner.model.hiddenStates(packed, on: tape)
      return (tape: tape, hidden: tape.gatherRows(states, packed.scoredRows))
    }
    let parts = parts(isStudentOutput: batch.isStudentOutput)
    let gradients = passes.map { pass in parts.map { _ in arena.zeros(pass.hidden.value.shape) } }
    var loss = StepLoss(scoredPositions: packed.scoredRows.count, tokens: packed.tokens.count)
    for (own, learner) in learners.enumerated() {
      let other = 1 - own
      var found = (data: 0.0, divergence: 0.0, peer: 0.0)
      for (number, part) in parts.enumerated() {
        let sums = arena.scratch {
          part.loss.evaluate(
            hidden: passes[own].hidden.value, head: learner.head, targets: packed.targets,
            teacher: part.isPeer
              ? .dense(hidden: passes[other].hidden.value, head: learners[other].read)
              : part.loss.divergence == nil ? .none : batch.teacherRows(in: arena),
            scale: scale, hiddenGradient: gradients[own][number], arena: arena)
        }
        if part.isPeer { found.peer += sums.divergence } else { found.divergence += sums.divergence }
        if number == 0 { found.data = sums.crossEntropy }
        loss.offender = loss.offender ?? batch.offender(sums)
      }
      let prefix = own == 0 ? "" : "\(Self.partner)_"
      loss.terms += [
        .init("\(prefix)divergence", weight: settings.divergenceWeight, sum: found.divergence),
        .init("\(prefix)cross_entropy", weight: parts[0].loss.crossEntropyWeight, sum: found.data),
        .init("\(prefix)peer", weight: settings.alpha, sum: found.peer),
      ]
    }
    // Both have looked at the other one as it was.
    for (pass, gradients) in zip(passes, gradients) {
      arena.scratch { pass.tape.backward(from: gradients.map { (pass.hidden, $0) }) }
    }
    return loss
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    let passes = learners.map { StepMemory.RecordedPass($0.model) },
      live = teacher.map { StepMemory.LiveSignals($0.memory) }
    let parts = parts(isStudentOutput: false), heads = learners.map(\.head)
    return StepMemory { rows, scored in
      let kept = passes.reduce(0) { $0 + $1.kept(rows) + (1 + parts.count) * $1.states(scored) }
      let losses = [0, 1].flatMap { own in
        parts.map { part in
          let teacher = part.isPeer ? heads[1 - own] : part.loss.divergence == nil ? nil : live?.memory.head
          let scratch = part.loss.scratchBytes(rows: scored, head: heads[own], teacher: teacher)
          return part.isPeer ? scratch : live?.bytes(rows: rows, scored: scored, scratch: scratch) ?? scratch
        }
      }
      return kept + (losses + passes.map { $0.gradients(rows, scored: scored) }).reduce(0, max)
    }
  }
}
