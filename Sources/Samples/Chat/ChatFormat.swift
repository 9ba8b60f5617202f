import Diagnostics
import JSON

/// The texts of the tokens that begin and end a sequence, empty where there is no such token.
package struct SequenceTokens: Sendable, Equatable {
  package var bos: String
  package var eos: String

  package init(bos: String, eos: String) {
    self.bos = bos
    self.eos = eos
  }
}

/// Writes conversations as the chat templates of well-known models do, character for character; the golden texts of the tests
/// come from those templates. The token that begins the whole sequence is the tokenizer's to add, and the one that ends it
/// the sample's.
struct ChatFormat {
  /// What ends every turn of chatml.
  static let chatmlEnd = "<|im_end|>"

  let template: Template
  let tokens: SequenceTokens

  /// A turn that such a template can write.
  private struct Turn {
    enum Role: String, CaseIterable { case system, user, assistant }
    var role: Role
    var content: String
  }

  /// The text of a conversation.
  ///
  /// - Parameter turns: Which of the assistant's turns before the response are scored too.
  /// - Throws: a `Diagnostic` with the field of the message that the template cannot write.
  func text(_ conversation: Conversation, scoring turns: TrainOn) throws -> RenderedText {
    let before = try self.turns(conversation.beforeResponse)
    guard before.last?.role == .user else {
      throw Diagnostic.input(
        conversation.response == nil
          ? "ends with a message of the \(before.last?.role.rawValue ?? "assistant"), so there is nothing to answer"
          : "has a response that follows no message of the user", field: "messages")
    }
    let prompt = try self.prompt(before[...])
    let response = try self.turns(conversation.messages.suffix(conversation.response == nil ? 0 : 1)).first
    return RenderedText(
      prompt: prompt, response: response.map { self.response($0.content) },
      earlier: turns == .assistant ? try answers(in: before) : [])
  }

  /// Where the assistant's turns lie, each with what ends it.
  private func answers(in turns: [Turn]) throws -> [Range<Int>] {
    let end = template == .chatml ? Self.chatmlEnd : tokens.eos
    return try turns.indices.filter { turns[$0].role == .assistant }.map { index in
      let start = try prompt(turns[..<index]).utf8.count
      return start..<start + response(turns[index].content).utf8.count + end.utf8.count
    }
  }

  private func turns(_ messages: ArraySlice<Conversation.Message>) throws -> [Turn] {
    try messages.indices.map { index in
      let message = messages[index], field = "messages[\(index)]"
      guard let role = Turn.Role(rawValue: message.role) else {
        let roles = Turn.Role.allCases.map(\.rawValue).joined(separator: ", ")
        throw Diagnostic.input(
          "is \"\(message.role)\", but the template \(template) takes \(roles)", field: "\(field).role",
          remedy: "set template to model, where the model has a chat template that knows this role")
      }
      guard let text = message.text, message.fields["tool_calls"]?.isNull ?? true else {
        throw Diagnostic.input(
          "calls a tool, which the template \(template) cannot write", field: field,
          remedy: "set template to model, where the model has a chat template that knows tools")
      }
      return Turn(role: role, content: text)
    }
  }

  /// The text up to where the assistant answers.
  private func prompt(_ turns: ArraySlice<Turn>) throws -> String {
    switch template {
    case .chatml:
      return turns.map { "<|im_start|>\($0.role.rawValue)\n\($0.content)\(Self.chatmlEnd)\n" }.joined()
        + "<|im_start|>assistant\n"
    case .zephyr:
      return turns.map { "<|\($0.role.rawValue)|>\n\($0.content)\(tokens.eos)\n" }.joined() + "<|assistant|>\n"
    case .llama2: return try llama2(turns)
    case .plain, .alpaca, .model: preconditionFailure("\(template) is no chat format")
    }
  }

  /// The text of an answer, before the token that ends it.
  private func response(_ text: String) -> String {
    template == .llama2 ? " \(text.trimmed) " : text
  }

  /// Turns of user and assistant in strict alternation, the system message inside the first one.
  private func llama2(_ given: ArraySlice<Turn>) throws -> String {
    var turns = given
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
          field: "messages", remedy: "the template llama2 takes turns of user and assistant only")
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
