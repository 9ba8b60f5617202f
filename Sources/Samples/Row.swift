/// One row of a data set: what is asked and, where there is one, what was answered.
public struct Row: Sendable, Equatable {
  /// The shapes a row can have.
  public enum Content: Sendable, Equatable {
    /// A prompt and the response to it.
    case exchange(prompt: String, response: String?)
    /// A task, what it is to be done on (empty where there is nothing), and the response.
    case instruction(String, input: String, response: String?)
    /// Turns, of which the assistant's last one, where it ends them, is the response.
    case conversation(Conversation)
    /// Running text without a prompt.
    case text(String)
  }

  public var content: Content
  /// All responses that are right, for evaluation; the first one is the response itself.
  public var references: [String]
  /// Which of the data set's files it is in, from 0.
  public var file: Int
  /// One-based line of the file that the row begins on.
  public var line: Int
  /// The row's bytes in the file.
  package let bytes: Range<Int>

  /// The response's text, nil where the row has none.
  public var response: String? {
    switch content {
    case .exchange(_, let response), .instruction(_, _, let response): response
    case .conversation(let conversation): conversation.response?.text
    case .text: nil
    }
  }
}

extension Row.Content {
  /// The content with the text of the token that ends a response taken off the response's own end, so that a row which
  /// brings it along is not given a second one.
  func withoutEnd(_ end: String) -> Row.Content {
    func bare(_ response: String?) -> String? {
      guard var text = response, !end.isEmpty else { return response }
      // By bytes: a character may be made of the end of one token and the beginning of the next.
      while text.utf8.count >= end.utf8.count, text.utf8.suffix(end.utf8.count).elementsEqual(end.utf8) {
        text = String(decoding: text.utf8.dropLast(end.utf8.count), as: UTF8.self)
      }
      return text
    }
    switch self {
    case .exchange(let prompt, let response): return .exchange(prompt: prompt, response: bare(response))
    case .instruction(let task, let input, let response):
      return .instruction(task, input: input, response: bare(response))
    case .conversation(var conversation):
      if let last = conversation.response, let text = last.text, let without = bare(text), without != text {
        conversation.messages[conversation.messages.count - 1] = .init(last.role, without)
      }
      return .conversation(conversation)
    case .text: return self
    }
  }

  /// The content as turns: a prompt or an instruction is the user's.
  var asConversation: Conversation {
    func turns(_ prompt: String, _ response: String?) -> Conversation {
      Conversation([.init("user", prompt)] + (response.map { [.init("assistant", $0)] } ?? []))
    }
    switch self {
    case .exchange(let prompt, let response): return turns(prompt, response)
    case .instruction(let task, let input, let response):
      return turns(input.isEmpty ? task : "\(task)\n\n\(input)", response)
    case .conversation(let conversation): return conversation
    case .text(let text): return turns("", text)
    }
  }
}
