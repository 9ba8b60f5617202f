/// What a model wrote after a prompt.
public struct Completion: Sendable, Equatable {
  /// Why the text ends.
  public enum FinishReason: String, Sendable {
    /// The model said so.
    case eos
    /// The longest response, or the end of the model's context, was reached.
    case length
  }

  /// The generated ids alone, eos included when it came.
  public var tokenIDs: [Int32]
  public var finishReason: FinishReason

  public init(tokenIDs: [Int32], finishReason: FinishReason) {
    self.tokenIDs = tokenIDs
    self.finishReason = finishReason
  }
}
