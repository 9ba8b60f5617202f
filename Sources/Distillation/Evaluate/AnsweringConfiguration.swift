import Configuration
import Diagnostics
import Generation

/// How the responses that an evaluation scores are written; its keys stand beside those of the stage. The papers' way is
/// temperature 1, five seeds and no run of six tokens twice (DistiLLM, arXiv 2402.03898, section 4).
public struct AnsweringConfiguration: Sendable, Equatable, Codable {
  /// 0 is greedy.
  public var temperature: Float = 0
  /// How often each prompt is answered, by seeds 1, 2, and so on.
  public var seeds = 1
  /// No run of so many tokens comes twice in prompt and response; 0 for no such rule.
  public var noRepeatNGram = 0

  private enum CodingKeys: String, CodingKey {
    case temperature, seeds
    case noRepeatNGram = "no_repeat_ngram"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    temperature = try keys.decode(.temperature, default: temperature)
    seeds = try keys.decode(.seeds, default: seeds)
    noRepeatNGram = try keys.decode(.noRepeatNGram, default: noRepeatNGram)
    try keys.checked(validate)
  }

  /// What says nothing is left out: earlier versions have not known these keys.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    if temperature != 0 { try keys.encode(temperature, forKey: .temperature) }
    if seeds != 1 { try keys.encode(seeds, forKey: .seeds) }
    if noRepeatNGram != 0 { try keys.encode(noRepeatNGram, forKey: .noRepeatNGram) }
  }

  func validate() throws {
    try CodingKeys.temperature.checkNotNegative(temperature)
    try CodingKeys.seeds.check(seeds, in: 1...1000)
    try CodingKeys.noRepeatNGram.checkNotNegative(noRepeatNGram)
    guard seeds == 1 || temperature > 0 else {
      throw Diagnostic.input(
        "is \(seeds), but greedy responses are the same for every seed", field: "seeds",
        remedy: "set temperature to 1, or leave seeds out")
    }
  }

  func settings(maximumNewTokens: Int) -> SamplingSettings {
    SamplingSettings(temperature: temperature, maximumNewTokens: maximumNewTokens, noRepeatNGram: noRepeatNGram)
  }
}
