import Configuration
import Diagnostics
import Divergences
import Glibc
import RandomStreams
public import Tensor

/// Distillation of vectors of texts: the student's, through a linear map W that is trained beside it and dropped afterwards, comes
/// to lie where the teacher's of the same text does.
///
/// - `disco`, contrastive (DistilCSE, arXiv 2112.05638, there CKD): with s = W h of the student and t of the teacher, both of length
///   1, a row's loss is that of telling its own teacher's vector from those of the step's other rows and of the bank's:
///
///       -log( exp(tau s.t[own]) / (sum over the step of exp(tau s.t) + sum over the bank of exp(tau s.t)) ),   tau = exp(l)
///
///   where l is learnt. The paper's bank is a queue of the vectors that were computed last; here the teacher's vectors are all there
///   beforehand, and the bank is a sample of those, drawn anew at each step, that is neither stale nor in the step's way.
/// - `mse`, what that paper sets it against: the mean over the columns of (W h - t)^2, t as it was kept.
public final class EmbeddingDistillation: EmbeddingObjective {
  public enum Loss: String, Sendable, CaseIterable {
    case disco, mse
  }

  /// Keys under `objective`.
  public struct Settings: Codable, Sendable, Equatable {
    public var loss: Loss
    /// Teacher's vectors of other rows, beside those of the step, that a row's own is told from; the paper's 65,536.
    public var bank = 1024
    /// What l begins with; the released code's 1.
    public var logScale: Float = 1
    /// Whether l is learnt.
    public var learnsScale = true
    /// Whether there is a W. Without it student and teacher have vectors of one width.
    public var projects = true

    public init(_ loss: Loss) { self.loss = loss }

    private enum CodingKeys: String, CodingKey {
      case name, bank
      case logScale = "log_scale"
      case learnsScale = "learn_scale"
      case projects = "projection"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      let name = try keys.decode(String.self, forKey: .name)
      guard let loss = Loss(rawValue: name) else { throw keys.fault(.name, "'\(name)' distils no vectors") }
      self.loss = loss
      projects = try keys.decode(.projects, default: projects)
      if loss == .disco {
        bank = try keys.decode(.bank, default: bank)
        logScale = try keys.decode(.logScale, default: logScale)
        learnsScale = try keys.decode(.learnsScale, default: learnsScale)
      }
      try keys.checked(validate)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(loss.rawValue, forKey: .name)
      try keys.encode(projects, forKey: .projects)
      guard loss == .disco else { return }
      try keys.encode(bank, forKey: .bank)
      try keys.encode(logScale, forKey: .logScale)
      try keys.encode(learnsScale, forKey: .learnsScale)
    }

    public func validate() throws {
      try CodingKeys.bank.checkNotNegative(bank)
      // exp(10) is a temperature of 5e-5.
      try CodingKeys.logScale.check(logScale, in: -10...10)
    }

    /// The bank's size; 0 for a loss without one.
    public var bankSize: Int { loss == .disco ? bank : 0 }
  }

  public let beside: TrainedParameters?
  public let comparesRows = false
  public var normalizesTeacher: Bool { settings.loss == .disco }
  private let settings: Settings
  /// [teacher's width, student's width]; nil for none.
  private let weight: Parameter?
  /// l, [1]; nil where it is not learnt.
  private let logScale: Parameter?

  /// - Parameters:
  ///   - width: Of the student's vectors.
  ///   - teacherWidth: Of the teacher's; the same where there is no W.
  ///   - seed: Seeds what W begins as where the widths differ; else it begins as what changes nothing.
  public init(_ settings: Settings, width: Int, teacherWidth: Int, seed: UInt64) {
    precondition(settings.projects || width == teacherWidth, "vectors of \(width) and \(teacherWidth) without a map")
    self.settings = settings
    var specifications: [ParameterSpecification] = []
    if settings.projects {
      specifications.append(
        ParameterSpecification(
          name: "weight", shape: [teacherWidth, width], role: .decayed,
          initialization: .normal(standardDeviation: 1 / Float(width).squareRoot())))
    }
    if settings.loss == .disco && settings.learnsScale {
      specifications.append(
        ParameterSpecification(name: "log_scale", shape: [1], role: .undecayed, initialization: .zeros))
    }
    guard !specifications.isEmpty else {
      (beside, weight, logScale) = (nil, nil, nil)
      return
    }
    let parameters = ParameterBuffer(specifications)
    parameters.allocateGradients()
    var stream = RandomStream(seed: seed, name: "projection")
    parameters.initialize(&stream)
    weight = settings.projects ? parameters["weight"] : nil
    logScale = parameters.contains("log_scale") ? parameters["log_scale"] : nil
    logScale?.value.fill(settings.logScale)
    if let weight, width == teacherWidth {
      weight.value.fill(0)
      for column in 0..<width { unsafe weight.value.elements[column * width + column] = 1 }
    }
    beside = TrainedParameters("projection", parameters)
  }

  public func compared(_ vectors: Variable, on tape: Tape) -> Variable {
    let projected = weight.map { tape.linear(vectors, $0) } ?? vectors
    return settings.loss == .disco ? tape.unitRows(projected) : projected
  }

  public func loss(
    _ compared: Tensor, rows: Range<Int>, of step: EmbeddingStep, scale: Float, gradient: Tensor?, in arena: Arena
  ) -> RowLosses {
    guard let teacher = step.teacher else { preconditionFailure("a step without a teacher") }
    switch settings.loss {
    case .disco: return contrast(compared, rows, teacher, scale: scale, gradient: gradient, in: arena)
    case .mse:
      return RowLosses(
        perRow: FeatureDistance.evaluate(
          student: compared, teacher: teacher.rows(rows), scale: scale, gradient: gradient))
    }
  }

  private func contrast(
    _ student: Tensor, _ rows: Range<Int>, _ teacher: Tensor, scale: Float, gradient: Tensor?, in arena: Arena
  ) -> RowLosses {
    let tau = exp(logScale?.value[0] ?? settings.logScale)
    var losses: [Double] = [], slope = 0.0
    for part in chunks(student.rows, candidates: teacher.rows) {
      arena.scratch {
        // [rows of the part, candidates].
        let similarities = arena.tensor([part.count, teacher.rows])
        Gemm.multiply(student.rows(part), teacher, transposeB: true, into: similarities)
        let sums = InfoNCE.evaluate(
          similarities, positives: part.map { rows.lowerBound + $0 }, tau: tau, scale: scale, in: arena)
        losses += sums.perRow
        slope += sums.tauGradient
        if let gradient { Gemm.multiply(similarities, teacher, into: gradient.rows(part)) }
      }
    }
    if gradient != nil, let own = logScale?.gradient { unsafe own.elements[0] += scale * tau * Float(slope) }
    return RowLosses(perRow: losses, told: [("scale", Double(tau))])
  }
}

/// Rows that are compared with all candidates together: as many as make a few MiB of similarities.
func chunks(_ rows: Int, candidates: Int) -> [Range<Int>] {
  let count = max((1 << 20) / max(candidates, 1), 16)
  return stride(from: 0, to: rows, by: count).map { $0..<min($0 + count, rows) }
}
