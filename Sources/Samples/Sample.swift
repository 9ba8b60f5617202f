/// The token ids of a row, ready for a model.
public struct Sample: Sendable, Equatable {
  /// What the tokenizer puts at the start, the joint encoding of prompt and response, and the end-of-sequence token
  /// where the row has a response that was not cut.
  public var tokenIDs: [Int32]
  /// How many of ``tokenIDs`` belong to the prompt, the tokenizer's start included.
  public var promptLength: Int
  /// One-based line of the row in its file.
  public var line: Int
  /// False for running text and for a prompt alone.
  public var hasResponse: Bool
  /// True where the response or text was cut at the maximum length: there is no end-of-sequence token then.
  public var isCut: Bool
  /// True where the prompt lost its beginning to make room.
  public var isPromptCut: Bool

  public init(
    tokenIDs: [Int32], promptLength: Int, line: Int, hasResponse: Bool, isCut: Bool, isPromptCut: Bool = false
  ) {
    self.tokenIDs = tokenIDs
    self.promptLength = promptLength
    self.line = line
    self.hasResponse = hasResponse
    self.isCut = isCut
    self.isPromptCut = isPromptCut
  }

  /// The response's ids without the token that ends it; for running text, all of its own.
  public var responseTokenIDs: [Int32] {
    Array(tokenIDs.dropFirst(promptLength).dropLast(hasResponse && !isCut ? 1 : 0))
  }

  /// The positions whose next token is scored: from the one that predicts the first token after the prompt to the one
  /// that predicts the last token.
  public var scoredPositions: Range<Int> {
    Self.scoredPositions(promptLength: promptLength, tokenCount: tokenIDs.count)
  }

  static func scoredPositions(promptLength: Int, tokenCount: Int) -> Range<Int> {
    let first = max(promptLength, 1) - 1
    return first..<max(first, tokenCount - 1)
  }
}
