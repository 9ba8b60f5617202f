public import Sequences

/// The token ids of a row, ready for a model.
public struct Sample: Sendable, Equatable {
  /// What the tokenizer puts at the start, the joint encoding of prompt and response, and the end-of-sequence token
  /// where the row has a response that was not cut.
  public var tokenIDs: [Int32] { sequence.tokenIDs }
  /// ``tokenIDs`` and which of their positions are scored.
  public let sequence: TokenSequence
  /// How many of ``tokenIDs`` come before the response, the tokenizer's start included.
  public let promptLength: Int
  /// Tokens behind the response's own: what ends it, and what a chat template writes after that.
  public var endLength: Int
  /// One-based line of the row in its file.
  public var line: Int
  /// False for running text and for a prompt alone.
  public var hasResponse: Bool
  /// Whether its row is a conversation, or was written as one.
  public var isConversation = false
  /// Turns of the assistant that are scored, of a conversation.
  public var turns = 0
  /// Tokens that the prompt lost at its beginning.
  public var cutAtStart = 0
  /// Tokens that were cut off at the maximum length.
  public var cutAtEnd = 0
  /// True where the response or text was cut at the maximum length: what ends it is missing then.
  public var isCut: Bool

  /// A prompt and what follows it, all of which is scored; it ends with a token that ends a text where there is a response
  /// that was not cut.
  public init(tokenIDs: [Int32], promptLength: Int, line: Int, hasResponse: Bool, isCut: Bool) {
    self.init(
      TokenSequence(tokenIDs: tokenIDs, promptLength: promptLength), promptLength: promptLength, line: line,
      hasResponse: hasResponse, isCut: isCut)
  }

  init(_ sequence: TokenSequence, promptLength: Int, line: Int, hasResponse: Bool, isCut: Bool) {
    self.sequence = sequence
    self.promptLength = promptLength
    self.line = line
    self.hasResponse = hasResponse
    self.isCut = isCut
    endLength = hasResponse && !isCut ? 1 : 0
  }

  /// True where the prompt lost its beginning to make room.
  public var isPromptCut: Bool { cutAtStart > 0 }

  /// Tokens that were cut off, at either end.
  public var cutTokens: Int { cutAtStart + cutAtEnd }

  /// The response's ids without what ends it; for running text, all of its own.
  public var responseTokenIDs: [Int32] { Array(tokenIDs.dropFirst(promptLength).dropLast(endLength)) }

  /// The positions whose next token is scored.
  public var scoredPositions: ScoredPositions { sequence.scoredPositions }
}
