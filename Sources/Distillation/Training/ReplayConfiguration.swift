import Configuration
import Diagnostics
public import Training

/// Adaptive off-policy training on the student's own outputs (DistiLLM, arXiv 2402.03898, Algorithm 1).
public struct ReplayConfiguration: Sendable, Codable {
  public var sampler = AdaptiveSampler.Settings()
  public var decoding = DecodingConfiguration()
  /// Fewest versions that stay on disk when those go from which nothing can be drawn any more, neither now nor from a
  /// checkpoint that is kept; nothing goes where absent.
  public var keep: Int?

  private enum CodingKeys: String, CodingKey {
    case epsilon, ratio, comparison, capacity, keep
    case initialPhi = "initial_phi"
    case phiSteps = "phi_steps"
    case freshBatch = "fresh_batch"
    case warmFill = "warm_fill"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    sampler.initialPhi = try keys.decode(.initialPhi, default: sampler.initialPhi)
    sampler.epsilon = try keys.decode(.epsilon, default: sampler.epsilon)
    sampler.phiSteps = try keys.decode(.phiSteps, default: sampler.phiSteps)
    sampler.ratio = try keys.decode(.ratio, default: sampler.ratio)
    sampler.comparison = try keys.decode(.comparison, default: sampler.comparison)
    sampler.freshBatch = try keys.decode(.freshBatch, default: sampler.freshBatch)
    sampler.warmFill = try keys.decode(.warmFill, default: sampler.warmFill)
    sampler.capacity = try keys.decode(.capacity, default: sampler.capacity)
    keep = try keys.decodeIfPresent(Int.self, forKey: .keep)
    decoding = try DecodingConfiguration(from: decoder)
    try keys.checked(validate)
  }

  /// Checks the sampler's numbers and those of decoding.
  func validate() throws {
    try CodingKeys.initialPhi.check(sampler.initialPhi, in: 0...1)
    try CodingKeys.epsilon.checkFinite(sampler.epsilon)
    try CodingKeys.phiSteps.checkPositive(sampler.phiSteps)
    try CodingKeys.capacity.checkPositive(sampler.capacity)
    try CodingKeys.keep.checkPositive(keep)
    try decoding.validate()
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(sampler.initialPhi, forKey: .initialPhi)
    try keys.encode(sampler.epsilon, forKey: .epsilon)
    try keys.encode(sampler.phiSteps, forKey: .phiSteps)
    try keys.encode(sampler.ratio, forKey: .ratio)
    try keys.encode(sampler.comparison, forKey: .comparison)
    try keys.encode(sampler.freshBatch, forKey: .freshBatch)
    try keys.encode(sampler.warmFill, forKey: .warmFill)
    try keys.encode(sampler.capacity, forKey: .capacity)
    try keys.encodeIfPresent(keep, forKey: .keep)
    try decoding.encode(to: encoder)
  }
}
