public import JSON

/// The turns of a conversation and what its row says beside them, all as written: the chat template of a model sees every
/// field, the fixed templates take texts of system, user and assistant.
public struct Conversation: Sendable, Equatable {
  /// One turn.
  public struct Message: Sendable, Equatable {
    /// The fields as the row has them: `role`, `content`, and whatever else, such as `tool_calls` or `reasoning_content`.
    public var fields: JSONObject
    /// Who speaks: `system`, `user`, `assistant`, `tool` or what else a template knows.
    public let role: String
    /// The text of `content`, of several parts the texts joined; nil where the message has none.
    public let text: String?

    /// - Parameter text: That of `content`, which may be a list of parts.
    init(_ fields: JSONObject, role: String, text: String?) {
      self.fields = fields
      self.role = role
      self.text = text
    }

    /// A message of a role and a text.
    public init(_ role: String, _ text: String) {
      self.init(["role": .string(role), "content": .string(text)], role: role, text: text)
    }

    var isAssistant: Bool { role == "assistant" }
  }

  public var messages: [Message]
  /// What the assistant may call, as JSON schemas; nil where the row names none.
  public var tools: [JSONValue]?
  /// Further variables for the chat template: the row's `chat_template_kwargs`.
  public var variables: JSONObject

  public init(_ messages: [Message], tools: [JSONValue]? = nil, variables: JSONObject = JSONObject()) {
    self.messages = messages
    self.tools = tools
    self.variables = variables
  }

  /// The assistant's last turn, where the conversation ends with it: the response.
  public var response: Message? { messages.last.flatMap { $0.isAssistant ? $0 : nil } }

  /// The turns that a response is to follow: all but the assistant's last one.
  public var beforeResponse: ArraySlice<Message> { messages.dropLast(response == nil ? 0 : 1) }
}
