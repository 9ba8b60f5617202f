import Configuration
import Diagnostics

/// When the validation rows are scored (also once before the first step and after the last).
public struct ValidationConfiguration: Sendable, Codable {
  /// Steps between validations; 0: only before the first step and after the last.
  public var every = 0
  /// At most this many rows, from the front of the file; all where absent.
  public var limit: Int?
  /// What decides which checkpoint is the best one. Phi moves by the loss in any case.
  public var metric = Metric.loss
  /// Longest response, tokens, where the metric is of responses.
  public var maximumNewTokens = 128

  /// What a validation can be judged by.
  public enum Metric: String, Sendable, Codable, CaseIterable {
    /// Cross-entropy of the reference responses: lower is better.
    case loss
    /// ROUGE-L F1 of greedy responses: higher is better (DistiLLM, arXiv 2402.03898, chooses by it).
    case rougeL = "rouge_l"
    /// Share of greedy responses that equal the reference but for white space: higher is better.
    case exactMatch = "exact_match"
  }

  private enum CodingKeys: String, CodingKey {
    case every, limit, metric
    case maximumNewTokens = "max_new_tokens"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    every = try keys.decode(.every, default: every)
    limit = try keys.decodeIfPresent(Int.self, forKey: .limit)
    metric = try keys.decode(.metric, default: metric)
    maximumNewTokens = try keys.decode(.maximumNewTokens, default: maximumNewTokens)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(every, forKey: .every)
    try keys.encodeIfPresent(limit, forKey: .limit)
    // What earlier versions have not known is left out where it says nothing.
    guard metric != .loss else { return }
    try keys.encode(metric, forKey: .metric)
    try keys.encode(maximumNewTokens, forKey: .maximumNewTokens)
  }

  /// Checks the counts.
  public func validate() throws {
    try CodingKeys.every.checkNotNegative(every)
    try CodingKeys.limit.checkPositive(limit)
    try CodingKeys.maximumNewTokens.check(maximumNewTokens, in: 1...Limits.sequence)
  }
}
