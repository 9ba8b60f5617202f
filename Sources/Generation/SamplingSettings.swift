import Diagnostics

/// How the next token is chosen, and how many are made.
public struct SamplingSettings: Sendable, Equatable, Codable {
  /// What logits are divided by; 0 takes the most likely token (the lowest id among equals).
  public var temperature: Float
  /// Draw from the fewest most likely tokens whose probabilities sum to at least this; 1 for all.
  public var topP: Float
  /// Draw from this many most likely tokens, before ``topP``; 0 for all.
  public var topK: Int
  /// The longest response, in tokens, eos included.
  public var maximumNewTokens: Int
  /// No run of so many tokens comes twice in prompt and response: a token that would end such a run is not chosen. 0 for no
  /// such rule. As `no_repeat_ngram_size` of transformers.
  public var noRepeatNGram = 0

  public init(temperature: Float = 1, topP: Float = 1, topK: Int = 0, maximumNewTokens: Int, noRepeatNGram: Int = 0) {
    self.noRepeatNGram = noRepeatNGram
    self.temperature = temperature
    self.topP = topP
    self.topK = topK
    self.maximumNewTokens = maximumNewTokens
  }

  /// - Throws: a `Diagnostic` that names the setting out of range.
  public func validate() throws {
    guard temperature >= 0 && temperature.isFinite else {
      throw Diagnostic.input("is \(temperature), but must be 0 (greedy) or positive", field: "temperature")
    }
    guard topP > 0 && topP <= 1 else {
      throw Diagnostic.input(
        "is \(topP), but must be above 0 and at most 1", field: "top_p", remedy: "use 1 for all tokens")
    }
    guard topK >= 0 else {
      throw Diagnostic.input("is \(topK), but must not be negative", field: "top_k", remedy: "use 0 for all tokens")
    }
    guard noRepeatNGram >= 0 else {
      throw Diagnostic.input(
        "is \(noRepeatNGram), but must not be negative", field: "no_repeat_ngram", remedy: "use 0 for no such rule")
    }
    guard maximumNewTokens >= 1 else {
      throw Diagnostic.input("is \(maximumNewTokens), but must be at least 1", field: "max_new_tokens")
    }
  }
}
