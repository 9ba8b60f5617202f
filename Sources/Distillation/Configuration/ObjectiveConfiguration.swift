import Configuration
import Diagnostics
public import Divergences

/// The loss: `divergence_weight` D(teacher, student) + `cross_entropy_weight` CE on the data's own tokens.
public struct ObjectiveConfiguration: Sendable, Codable {
  public var objective = Objective.sft
  public var divergenceWeight: Float = 1
  /// 1 for `sft`, else 0 unless it is given. Applies to the fixed data only: on student outputs it would teach the
  /// student to copy itself.
  public var crossEntropyWeight: Float = 1

  private enum CodingKeys: String, CodingKey {
    case name, alpha, beta
    case divergenceWeight = "divergence_weight"
    case crossEntropyWeight = "cross_entropy_weight"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let name = try keys.decode(Objective.Name.self, forKey: .name)
    let alpha = try keys.decode(.alpha, default: objective.alpha),
      beta = try keys.decode(.beta, default: objective.beta)
    try keys.checked { objective = try Objective(name: name, alpha: alpha, beta: beta) }
    divergenceWeight = try keys.decode(.divergenceWeight, default: divergenceWeight)
    crossEntropyWeight = try keys.decode(.crossEntropyWeight, default: objective.needsTeacher ? 0 : 1)
    try keys.checked(validate)
  }

  /// Checks the weights; the objective has checked its own parameters.
  func validate() throws {
    try CodingKeys.divergenceWeight.checkFinite(divergenceWeight)
    try CodingKeys.crossEntropyWeight.checkFinite(crossEntropyWeight)
    let trains = objective.needsTeacher && divergenceWeight > 0 || crossEntropyWeight > 0
    guard trains && divergenceWeight >= 0 && crossEntropyWeight >= 0 else {
      throw Diagnostic.input("the weights must not be negative, nor all zero")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(objective.name, forKey: .name)
    try keys.encode(objective.alpha, forKey: .alpha)
    try keys.encode(objective.beta, forKey: .beta)
    try keys.encode(divergenceWeight, forKey: .divergenceWeight)
    try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
  }
}
