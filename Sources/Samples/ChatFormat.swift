import Diagnostics

/// The texts of the tokens that begin and end a sequence, empty where there is no such token.
package struct SequenceTokens: Sendable, Equatable {
  package var bos: String
  package var eos: String

  package init(bos: String, eos: String) {
    self.bos = bos
    self.eos = eos
  }
}

/// Writes conversations as the chat templates of the models do, character for character; the golden texts of the tests
/// come from those templates. The token that begins the whole sequence is the tokenizer's to add.
struct ChatFormat {
  /// What ends every turn of chatml.
  static let chatmlEnd = "<|im_end|>"

  let template: Template
  let tokens: SequenceTokens

  /// The text up to where the assistant answers.
  func prompt(_ messages: [Row.Message]) throws -> String {
    switch template {
    case .chatml:
      return messages.map { "<|im_start|>\($0.role.rawValue)\n\($0.content)\(Self.chatmlEnd)\n" }.joined()
        + "<|im_start|>assistant\n"
    case .zephyr:
      return messages.map { "<|\($0.role.rawValue)|>\n\($0.content)\(tokens.eos)\n" }.joined() + "<|assistant|>\n"
    case .llama2: return try llama2(messages)
    case .plain, .alpaca: preconditionFailure("\(template) is no chat format")
    }
  }

  /// The text of the last answer, before the token that ends it.
  func response(_ text: String) -> String {
    template == .llama2 ? " \(text.trimmed) " : text
  }

  /// Turns of user and assistant in strict alternation, the system message inside the first one.
  private func llama2(_ messages: [Row.Message]) throws -> String {
    var turns = messages[...]
    var system = ""
    if let first = turns.first, first.role == .system {
      system = "<<SYS>>\n\(first.content)\n<</SYS>>\n\n"
      turns = turns.dropFirst()
    }
    var text = ""
    for (index, turn) in turns.enumerated() {
      guard turn.role == (index.isMultiple(of: 2) ? .user : .assistant) else {
        throw Diagnostic.input(
          "has two messages of the \(turn.role.rawValue) in a row, or a system message that is not the first",
          remedy: "the template llama2 takes turns of user and assistant only")
      }
      if turn.role == .assistant {
        text += " \(turn.content.trimmed) \(tokens.eos)"
      } else {
        text += (index > 0 ? tokens.bos : "") + "[INST] \((system + turn.content).trimmed) [/INST]"
        system = ""
      }
    }
    return text
  }
}

extension String {
  /// Without white space at both ends.
  fileprivate var trimmed: String {
    var rest = self[...]
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }
}
