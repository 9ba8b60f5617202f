/// What a model wrote after a prompt.
public struct Completion: Sendable, Equatable {
  /// Why the text ends.
  public enum FinishReason: String, Sendable {
    /// The model wrote a token that ends a text.
    case eos
    /// The longest response, or the end of the model's context, was reached.
    case length
  }

  /// The generated ids alone, eos included when it came.
  public var tokenIDs: [Int32]
  public var finishReason: FinishReason

  /// The generated ids without the one that ended them.
  public var contentTokenIDs: [Int32] { finishReason == .eos ? tokenIDs.dropLast() : tokenIDs }

  public init(tokenIDs: [Int32], finishReason: FinishReason) {
    self.tokenIDs = tokenIDs
    self.finishReason = finishReason
  }
}
