import Configuration
import Diagnostics
public import Divergences
public import Models
import Sequences
public import TeacherSignal
public import Teachers
public import Tensor

/// Distillation by a divergence: at each scored position `divergence_weight` D(teacher, student) + `cross_entropy_weight` CE
/// with the data's own token. With `skl` or `srkl` and a replay of student outputs it is DistiLLM (arXiv 2402.03898).
public final class DivergenceDistillation: Method {
  /// Keys under `objective`, beside the divergence's name.
  public struct Settings: MethodSettings {
    public static let names = Divergence.names
    public var name: String { divergence.name }
    /// Which divergence, and its parameters.
    public var divergence: Divergence
    /// What both models' logits are divided by where they are compared; other than 1 beside a live teacher alone.
    public var temperature: Float = 1
    public var divergenceWeight: Float = 1
    /// Applies to the fixed data only: on student outputs it would teach the student to copy itself.
    public var crossEntropyWeight: Float = 0
    /// Which positions lose the divergence, and keep the cross-entropy; nil for none.
    public var gate: AnomalyGate?

    public init(_ divergence: Divergence) { self.divergence = divergence }

    public var needsTeacher: Bool { divergenceWeight > 0 }
    public var columns: [ColumnNeed] { isGated ? [DivergenceDistillation.anomalyNeed] : [] }
    public var gatedShare: Double? { isGated ? gate?.share : nil }
    fileprivate var isGated: Bool { divergenceWeight > 0 && gate?.isOpen == false }
    public var needsWholeDistributions: String? { temperature == 1 ? nil : "temperature" }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: EntryName.self)
      divergence = try Divergence(from: keys)
      // Earlier versions wrote these down with every one.
      for earlier in ["alpha", "beta"] {
        _ = try keys.decodeIfPresent(Float.self, forKey: EntryName(stringValue: earlier))
      }
      temperature = try keys.decode(.temperature, default: temperature)
      divergenceWeight = try keys.decode(.divergenceWeight, default: divergenceWeight)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      gate = try keys.decodeIfPresent(AnomalyGate.self, forKey: .gate)
      try keys.checked(validate)
    }

    public func validate() throws {
      try EntryName.temperature.checkFinite(temperature)
      try EntryName.temperature.checkAboveZero(temperature)
      try EntryName.divergenceWeight.checkFinite(divergenceWeight)
      try EntryName.crossEntropyWeight.checkFinite(crossEntropyWeight)
      if let gate { try EntryName.gate.within(gate.validate) }
      guard divergenceWeight > 0 || crossEntropyWeight > 0, divergenceWeight >= 0 && crossEntropyWeight >= 0 else {
        throw Diagnostic.input("the weights must not be negative, nor all zero")
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: EntryName.self)
      try keys.encode(name, forKey: .name)
      try divergence.encodeParameters(to: &keys)
      // Left out where it says nothing: earlier versions have not known it.
      if temperature != 1 { try keys.encode(temperature, forKey: .temperature) }
      try keys.encode(divergenceWeight, forKey: .divergenceWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
      try keys.encodeIfPresent(gate, forKey: .gate)
    }

    public func method(of parts: MethodParts) -> any Method {
      DivergenceDistillation(
        parts.student, self, vocabulary: parts.vocabulary, anomaly: parts.columns.first(where: anomalyNeed.isMet))
    }
  }

  public let trained: [TrainedParameters]
  /// Holds ``MethodState/gateAbove`` where positions are left out.
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let head: Head
  /// Of the fixed data.
  private let loss: HeadLoss
  /// What decides which positions are left out; nil where none is.
  private let anomaly: ColumnDeclaration?

  static let anomalyNeed = ColumnNeed("anomaly", remedy: "anomaly: DIR")

  /// - Parameters:
  ///   - vocabulary: Leading ids that student, teacher and data share.
  ///   - anomaly: The column that the settings' gate reads, where they have one that is not open.
  public init(
    _ student: any CausalLanguageModel, _ settings: Settings, vocabulary: Int, anomaly: ColumnDeclaration? = nil
  ) {
    precondition(!settings.isGated || anomaly != nil, "a gate without the column that it reads")
    self.student = student
    self.anomaly = settings.isGated ? anomaly : nil
    if settings.isGated { state.gateAbove = settings.gate?.above }
    trained = [TrainedParameters(TrainedParameters.student, student.parameters)]
    head = Head(student.head, vocabulary: vocabulary, precision: student.precision)
    loss = HeadLoss(
      divergence: settings.divergence, temperature: settings.temperature, divergenceWeight: settings.divergenceWeight,
      crossEntropyWeight: settings.crossEntropyWeight)
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    var loss = loss
    if batch.isStudentOutput { loss.crossEntropyWeight = 0 }
    let packed = batch.packed
    let weights = anomaly.map { anomaly in arena.scratch { rowWeights(batch.column(anomaly, in: arena)) } }
    let tape = Tape(arena: arena, recording: true, precision: student.precision)
    // [rows, hidden size] of all inputs, then [scored rows, hidden size].
    let states = student.hiddenStates(packed, on: tape)
    let hidden = tape.gatherRows(states, packed.scoredRows)
    let gradient = arena.zeros(hidden.value.shape)
    // Logits and the teacher's states have done their work before the backward pass, which takes their memory.
    let sums = arena.scratch {
      loss.evaluate(
        hidden: hidden.value, head: head, targets: packed.targets, teacher: batch.teacherRows(in: arena),
        divergenceRowWeights: weights, scale: scale, hiddenGradient: gradient, arena: arena)
    }
    tape.backward(from: hidden, gradient: gradient)
    let gated = weights.map { StepLoss.Term("gated", weight: 0, sum: Double($0.count { $0 == 0 })) }
    return StepLoss(
      terms: [
        .init("divergence", weight: loss.divergenceWeight, sum: sums.divergence),
        .init("cross_entropy", weight: loss.crossEntropyWeight, sum: sums.crossEntropy),
      ] + [gated].compactMap(\.self), scoredPositions: sums.rows, tokens: packed.tokens.count,
      offender: batch.offender(sums))
  }

  /// 0 for a row that is left out, 1 for any other.
  private func rowWeights(_ anomalies: Tensor) -> [Float] {
    // Where nobody has looked at the data nothing is.
    let above = state.gateAbove ?? .infinity
    return anomalies.array().map { Double($0) > above ? 0 : 1 }
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    StepMemory(student: student, head: head, loss: loss, teacher: teacher)
  }
}

extension MethodState {
  /// Above which anomaly a position is left out, where a method asks (``MethodSettings/gatedShare``).
  public var gateAbove: Double? {
    get { numbers["gate_above"] }
    set { numbers["gate_above"] = newValue }
  }
}

/// The section's keys, beside each parameter of a divergence by its name.
extension EntryName {
  static let name = EntryName(stringValue: "name")
  fileprivate static let temperature = EntryName(stringValue: "temperature")
  fileprivate static let divergenceWeight = EntryName(stringValue: "divergence_weight")
  fileprivate static let crossEntropyWeight = EntryName(stringValue: "cross_entropy_weight")
  fileprivate static let gate = EntryName(stringValue: "gate")
}
