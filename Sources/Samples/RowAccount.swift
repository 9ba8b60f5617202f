public import JSON

/// What became of the rows of a file: the one place that decides what is told of rows that were cut, left out or not
/// understood.
public struct RowAccount: Sendable, Equatable {
  /// The file.
  public var path = ""
  /// Rows in the file, those that gave no sample included.
  public var rows = 0
  public var samples = 0
  /// Samples of conversations, turns of the assistant in them that are scored, and positions of all samples that are.
  public var conversations = 0
  public var turns = 0
  public var scored = 0
  /// Tokens that were cut off.
  public var cutTokens = 0
  /// Samples whose response or text was cut.
  public var cut = 0
  /// The length, in tokens, that samples are cut at.
  public var maximumLength = 0
  /// Samples whose prompt lost its beginning, so that there is room for a response.
  public var cutPrompts = 0
  /// Rows left out because their prompt is too long.
  public var dropped = 0
  /// The longest prompt, in tokens, that is not too long.
  public var maximumPromptLength = 0
  /// Rows left out because their response is empty.
  public var emptyResponses = 0
  /// Samples that equal an earlier one in tokens and prompt length.
  public var duplicates = 0
  /// Tokens that stand for text outside the vocabulary.
  public var unknownTokens = 0
  /// Prompts that leave less room in the context than an answer may take, and how many tokens that is.
  public var tight = 0
  public var newTokens = 0

  public init() {}

  /// A sentence that begins with the file's name and says every count that is not zero; nil where all rows became samples
  /// as they are.
  public var sentence: String? {
    func some(_ count: Int, _ one: String, _ many: String) -> String? {
      count == 0 ? nil : "\(count) \(count == 1 ? one : many)"
    }
    let parts = [
      some(turns == 0 ? 0 : conversations, "is a conversation", "are conversations").map {
        "\($0) with \(turns) turn\(turns == 1 ? "" : "s") of the assistant and \(scored) tokens scored"
      },
      some(cut, "response or text was", "responses or texts were").map { "\($0) cut at \(maximumLength) tokens" },
      some(cutPrompts, "prompt was", "prompts were").map { "\($0) cut on the left to leave room for a response" },
      some(cutTokens, "token was", "tokens were").map { "\($0) cut off" },
      some(dropped, "row was", "rows were").map {
        "\($0) dropped for a prompt of more than \(maximumPromptLength) tokens"
      },
      some(emptyResponses, "row was", "rows were").map { "\($0) skipped for an empty response" },
      some(duplicates, "sample repeats an earlier one", "samples repeat an earlier one"),
      some(unknownTokens, "token is", "tokens are").map { "\($0) the unknown token" },
      some(tight, "prompt leaves", "prompts leave").map { "\($0) room for fewer than \(newTokens) new tokens" },
    ].compactMap(\.self)
    if parts.isEmpty { return nil }
    return "\(path): of \(rows) row\(rows == 1 ? "" : "s"), " + parts.joined(separator: "; ")
  }

  /// The counts, zeros included, for results that programs read.
  public var json: JSONObject {
    [
      "rows": JSONValue(rows), "samples": JSONValue(samples), "max_length": JSONValue(maximumLength),
      "conversations": JSONValue(conversations), "turns": JSONValue(turns), "scored_tokens": JSONValue(scored),
      "cut_tokens": JSONValue(cutTokens),
      "cut": JSONValue(cut), "cut_prompts": JSONValue(cutPrompts), "dropped": JSONValue(dropped),
      "empty_responses": JSONValue(emptyResponses), "duplicates": JSONValue(duplicates),
      "unknown_tokens": JSONValue(unknownTokens), "tight_prompts": JSONValue(tight),
    ]
  }
}
