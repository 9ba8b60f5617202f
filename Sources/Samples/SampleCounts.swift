import Sequences

/// Counts over all samples of a data set, and over the rows that gave none.
public struct SampleCounts: Sendable, Equatable {
  /// Rows that were read, those without a sample included.
  public var rows = 0
  public var samples = 0
  /// Rows left out because their prompt is too long.
  public var dropped = 0
  /// Rows left out because their response is empty.
  public var emptyResponses = 0
  /// Samples that have a response.
  public var responses = 0
  /// Samples whose rows are conversations, or were written as such.
  public var conversations = 0
  /// Turns of the assistant in them that are scored.
  public var turns = 0
  /// Tokens that were cut off.
  public var cutTokens = 0
  /// Samples that were cut at the maximum length.
  public var cut = 0
  /// Samples whose prompt lost its beginning.
  public var cutPrompts = 0
  /// Samples that equal an earlier one in tokens and scored positions.
  public var duplicates = 0
  /// Tokens that stand for text outside the vocabulary.
  public var unknownTokens = 0
  /// Tokens of all samples.
  public var tokens = 0
  /// Positions of all samples whose next token is scored.
  public var scored = 0
  /// Tokens of the longest sample.
  public var longestSample = 0
  /// Tokens of the longest prompt.
  public var longestPrompt = 0
  /// Scored positions of the sample that has most.
  public var mostScored = 0
  /// The largest token id of all samples.
  public var largestToken = 0
  /// The largest token id that is to be predicted.
  public var largestTarget = 0

  public init() {}

  /// Adds a sample.
  mutating func add(_ sample: Sample, unknownTokenID: Int32?) {
    let scoredCount = sample.scoredPositions.count
    samples += 1
    if sample.hasResponse { responses += 1 }
    if sample.isConversation { conversations += 1 }
    turns += sample.turns
    cutTokens += sample.cutTokens
    if sample.isCut { cut += 1 }
    if sample.isPromptCut { cutPrompts += 1 }
    if let unknownTokenID { unknownTokens += sample.tokenIDs.count { $0 == unknownTokenID } }
    tokens += sample.tokenIDs.count
    scored += scoredCount
    longestSample = max(longestSample, sample.tokenIDs.count)
    longestPrompt = max(longestPrompt, sample.promptLength)
    mostScored = max(mostScored, scoredCount)
    largestToken = max(largestToken, Int(sample.tokenIDs.max() ?? 0))
    largestTarget = max(largestTarget, Int(sample.sequence.targets.max() ?? 0))
  }

  /// Adds the counts of other rows of the same data set.
  mutating func add(_ other: SampleCounts) {
    rows += other.rows
    samples += other.samples
    dropped += other.dropped
    emptyResponses += other.emptyResponses
    responses += other.responses
    conversations += other.conversations
    turns += other.turns
    cutTokens += other.cutTokens
    cut += other.cut
    cutPrompts += other.cutPrompts
    duplicates += other.duplicates
    unknownTokens += other.unknownTokens
    tokens += other.tokens
    scored += other.scored
    longestSample = max(longestSample, other.longestSample)
    longestPrompt = max(longestPrompt, other.longestPrompt)
    mostScored = max(mostScored, other.mostScored)
    largestToken = max(largestToken, other.largestToken)
    largestTarget = max(largestTarget, other.largestTarget)
  }

  /// The counts by the names they have on disk.
  static var fields: [(name: String, path: WritableKeyPath<SampleCounts, Int>)] {
    [
      ("rows", \.rows), ("samples", \.samples), ("dropped", \.dropped),
      ("empty_responses", \.emptyResponses), ("responses", \.responses),
      ("conversations", \.conversations), ("turns", \.turns), ("cut_tokens", \.cutTokens), ("cut", \.cut),
      ("cut_prompts", \.cutPrompts), ("duplicates", \.duplicates),
      ("unknown_tokens", \.unknownTokens), ("tokens", \.tokens), ("scored", \.scored),
      ("longest_sample", \.longestSample), ("longest_prompt", \.longestPrompt),
      ("most_scored", \.mostScored), ("largest_token", \.largestToken), ("largest_target", \.largestTarget),
    ]
  }
}
