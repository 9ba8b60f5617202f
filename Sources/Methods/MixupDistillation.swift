import Configuration
import Diagnostics
public import Divergences
public import Models
public import Teachers
public import Tensor

/// Distillation on mixtures too (MixKD, arXiv 2011.00593, section 3): beside each sample of a step there is one of its embeddings
/// mixed with another's, `x' = l e(x_i) + (1 - l) e(x_j)`, l from Beta(beta, beta), which each model sees in its own
/// embeddings. The student is to say of it what the teacher says:
///
///     divergence_weight D(p, q) + cross_entropy_weight CE + mix_weight D(p(x'), q(x'))
///
/// Each is a mean over its own positions. The paper compares logits by their squares, and learns mixed labels as well; here
/// the divergence is over what is known of the teacher, and a mixture has no token that follows.
public final class MixupDistillation: Method {
  /// Keys under `objective`, beside those of ``DivergenceDistillation``.
  public struct Settings: MethodSettings {
    public static let names = ["mixkd"]
    public let name = "mixkd"
    /// What student and teacher are compared by, on mixtures as on samples.
    public var divergence = Divergence.fkl
    /// The weight of the mixtures.
    public var mixWeight: Float = 1
    /// Shares come from Beta(beta, beta): near 0 or 1 where it is small, near a half where it is large. Nil for what a cache's
    /// pool of mixtures was made with, and beside a live teacher for ``MixingNeed/standardBeta``.
    public var beta: Double?
    public var divergenceWeight: Float = 1
    /// Applies to the fixed data only.
    public var crossEntropyWeight: Float = 0

    public var needsTeacher: Bool { divergenceWeight > 0 }
    public var mixing: MixingNeed? { mixWeight > 0 ? MixingNeed(beta: beta) : nil }

    public init() {}

    private enum CodingKeys: String, CodingKey {
      case name, divergence, beta
      case mixWeight = "mix_weight"
      case divergenceWeight = "divergence_weight"
      case crossEntropyWeight = "cross_entropy_weight"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      divergence = try keys.divergence(.divergence, default: divergence)
      mixWeight = try keys.decode(.mixWeight, default: mixWeight)
      beta = try keys.decodeIfPresent(Double.self, forKey: .beta)
      divergenceWeight = try keys.decode(.divergenceWeight, default: divergenceWeight)
      crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: crossEntropyWeight)
      try keys.checked(validate)
    }

    public func validate() throws {
      if let beta {
        try CodingKeys.beta.checkFinite(beta)
        try CodingKeys.beta.checkAboveZero(beta)
      }
      let weights = [
        (CodingKeys.mixWeight, mixWeight), (.divergenceWeight, divergenceWeight),
        (.crossEntropyWeight, crossEntropyWeight),
      ]
      for (key, weight) in weights { try key.checkFinite(weight) }
      guard weights.allSatisfy({ $0.1 >= 0 }), weights.contains(where: { $0.1 > 0 }) else {
        throw Diagnostic.input("the weights must not be negative, nor all zero")
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(name, forKey: .name)
      try keys.encode(divergence, forKey: .divergence)
      try keys.encode(mixWeight, forKey: .mixWeight)
      try keys.encodeIfPresent(beta, forKey: .beta)
      try keys.encode(divergenceWeight, forKey: .divergenceWeight)
      try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
    }

    public func method(of parts: MethodParts) -> any Method {
      MixupDistillation(parts.student, self, vocabulary: parts.vocabulary)
    }
  }

  public let trained: [TrainedParameters]
  public var state = MethodState()
  private let student: any CausalLanguageModel
  private let parts: SamplesAndForms

  /// - Parameter vocabulary: Leading ids that student, teacher and data share.
  public init(_ student: any CausalLanguageModel, _ settings: Settings, vocabulary: Int) {
    self.student = student
    parts = SamplesAndForms(
      student, settings.divergence, divergenceWeight: settings.divergenceWeight,
      crossEntropyWeight: settings.crossEntropyWeight, formsWeight: settings.mixWeight, named: "mixed",
      vocabulary: vocabulary)
    trained = parts.trained
  }

  public func accumulate(_ batch: MicroBatch, scale: Float, in arena: Arena) -> StepLoss {
    parts.accumulate(batch, scale: scale, in: arena)
  }

  public func memory(teacher: (any DenseTeacher)?) -> StepMemory {
    let parts = parts.memory(teacher: teacher), width = student.configuration.hiddenSize
    return StepMemory { rows, scored in
      // A mixture is at most as long as its sample. Its embeddings are three: two to mix, and what they make.
      let embeddings = 2 * rows * width * MemoryLayout<Float>.stride
      return max(
        parts.samples.bytes(rows: rows, scored: scored), parts.forms.bytes(rows: rows, scored: rows) + embeddings)
    }
  }
}
