import Configuration
import Diagnostics
import Generation

/// How responses are sampled; its keys stand beside those of the section that uses it.
public struct DecodingConfiguration: Sendable, Equatable, Codable {
  public var maximumNewTokens = 128
  /// 0 is greedy.
  public var temperature: Float = 1
  public var topP: Float = 1
  /// 0 is off.
  public var topK = 0

  private enum CodingKeys: String, CodingKey {
    case temperature
    case maximumNewTokens = "max_new_tokens"
    case topP = "top_p"
    case topK = "sample_top_k"
  }

  public init() {}

  /// The same as the sampler's settings.
  var settings: SamplingSettings {
    SamplingSettings(temperature: temperature, topP: topP, topK: topK, maximumNewTokens: maximumNewTokens)
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      from: decoder, maximumNewTokens: keys.decode(.maximumNewTokens, default: DecodingConfiguration().maximumNewTokens)
    )
  }

  /// The keys beside `max_new_tokens`, which whoever calls this has read.
  init(from decoder: any Decoder, maximumNewTokens: Int) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.maximumNewTokens = maximumNewTokens
    temperature = try keys.decode(.temperature, default: temperature)
    topP = try keys.decode(.topP, default: topP)
    topK = try keys.decode(.topK, default: topK)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws { try encode(to: encoder, maximumNewTokens: maximumNewTokens) }

  /// The same with something else in the place of `max_new_tokens`.
  func encode(to encoder: any Encoder, maximumNewTokens: some Encodable) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(maximumNewTokens, forKey: .maximumNewTokens)
    try keys.encode(temperature, forKey: .temperature)
    try keys.encode(topP, forKey: .topP)
    try keys.encode(topK, forKey: .topK)
  }

  /// Checks the numbers.
  package func validate() throws {
    try CodingKeys.maximumNewTokens.check(maximumNewTokens, in: 1...Limits.sequence)
    try CodingKeys.temperature.checkNotNegative(temperature)
    try CodingKeys.topP.check(topP, in: 1e-6...1)
    try CodingKeys.topK.checkNotNegative(topK)
  }

  /// Every setting by its key, in a fixed order, floats with the fewest digits that read back as the same fp32 number: the
  /// text that a result which depends on them is pinned by (`decoding` of its `Provenance`), so it stays as it is.
  var pinnedText: String {
    "max_new_tokens \(maximumNewTokens), temperature \(temperature), top_p \(topP), sample_top_k \(topK)"
  }
}
