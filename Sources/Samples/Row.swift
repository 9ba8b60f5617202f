/// One row of a data set: what is asked and, where there is one, what was answered.
public struct Row: Sendable, Equatable {
  /// A turn of a conversation.
  public struct Message: Sendable, Equatable {
    public enum Role: String, Sendable, CaseIterable { case system, user, assistant }

    public var role: Role
    public var content: String

    public init(_ role: Role, _ content: String) {
      self.role = role
      self.content = content
    }
  }

  /// The shapes a row can have.
  public enum Content: Sendable, Equatable {
    /// A prompt and the response to it.
    case exchange(prompt: String, response: String?)
    /// A task, what it is to be done on (empty where there is nothing), and the response.
    case instruction(String, input: String, response: String?)
    /// The turns before the response, and the assistant's last turn, which is the response.
    case conversation([Message], response: String?)
    /// Running text without a prompt.
    case text(String)
  }

  public var content: Content
  /// All responses that are right, for evaluation; the first one is the response itself.
  public var references: [String]
  /// One-based line of the file that the row begins on.
  public var line: Int
  /// The row's bytes in the file.
  let bytes: Range<Int>

  /// The response, nil where the row has none.
  public var response: String? {
    switch content {
    case .exchange(_, let response), .instruction(_, _, let response), .conversation(_, let response): response
    case .text: nil
    }
  }
}
