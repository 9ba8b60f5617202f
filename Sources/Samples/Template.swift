import Diagnostics

/// How a row becomes the text of a prompt and of a response.
///
/// A response follows its prompt with nothing between; what ends it is the one token that ``EndOfText`` decides, which
/// the ``SampleBuilder`` adds. A row of running text is left as it is by every template.
public enum Template: String, Sendable, CaseIterable, Codable {
  /// Prompts and responses as they are. Of an instruction, the task and its input, each on lines of its own.
  case plain
  /// The wording of Stanford Alpaca, with and without an input; a prompt counts as an instruction without one.
  case alpaca
  /// `<|im_start|>role`, the content, `<|im_end|>`: Qwen and many others. No system message is added where the row has
  /// none, though some models' own templates add a greeting there.
  case chatml
  /// `[INST] ... [/INST]` with the system message in `<<SYS>>`: Llama 2 chat.
  case llama2
  /// `<|user|>`, the content, the end-of-sequence token: Zephyr.
  case zephyr

  /// The text that ends a turn of this template and of no other, which is a token where a tokenizer has it as one; nil
  /// where turns end with the end-of-text token itself, or there are no turns.
  public var endOfTurn: String? { self == .chatml ? ChatFormat.chatmlEnd : nil }

  /// A template by its name.
  ///
  /// - Throws: a `Diagnostic` that lists the names. A model's own `chat_template` is a program in Jinja, which is not run.
  public init(named name: String) throws {
    guard let found = Template(rawValue: name) else {
      let names = Template.allCases.map(\.rawValue)
      throw Diagnostic.input(
        "'\(name)' is not a template; there are \(names.joined(separator: ", "))", field: "template",
        remedy: Spelling.nearest(to: name, in: names).map { "did you mean '\($0)'?" }
          ?? "choose the one that does what the model's own chat_template does, which is not run")
    }
    self = found
  }

  /// The texts of a row's prompt and response; running text has an empty prompt and is the second text.
  ///
  /// - Parameter tokens: The texts of the beginning- and end-of-sequence tokens, which some chats write between turns.
  /// - Throws: a `Diagnostic` where the row's shape does not fit the template.
  package func render(_ content: Row.Content, _ tokens: SequenceTokens) throws -> (prompt: String, response: String?) {
    if case .text(let text) = content { return ("", text) }
    switch self {
    case .plain: return try plain(content)
    case .alpaca: return try alpaca(content)
    case .chatml, .llama2, .zephyr:
      let (messages, response) = Self.conversation(content)
      let format = ChatFormat(template: self, tokens: tokens)
      return (try format.prompt(messages), response.map(format.response))
    }
  }

  private func plain(_ content: Row.Content) throws -> (String, String?) {
    switch content {
    case .exchange(let prompt, let response): return (prompt, response)
    case .instruction(let task, let input, let response):
      return (input.isEmpty ? "\(task)\n" : "\(task)\n\(input)\n", response)
    case .conversation, .text: throw unfit("a conversation")
    }
  }

  private func alpaca(_ content: Row.Content) throws -> (String, String?) {
    switch content {
    case .exchange(let prompt, let response): return (Self.alpaca(prompt, input: ""), response)
    case .instruction(let task, let input, let response): return (Self.alpaca(task, input: input), response)
    case .conversation, .text: throw unfit("a conversation")
    }
  }

  /// The prompts of https://github.com/tatsu-lab/stanford_alpaca, with the line break after the last heading that
  /// DistiLLM's data has.
  private static func alpaca(_ task: String, input: String) -> String {
    if input.isEmpty {
      return """
        Below is an instruction that describes a task. Write a response that appropriately completes the request.

        ### Instruction:
        \(task)

        ### Response:

        """
    }
    return """
      Below is an instruction that describes a task, paired with an input that provides further context. Write a \
      response that appropriately completes the request.

      ### Instruction:
      \(task)

      ### Input:
      \(input)

      ### Response:

      """
  }

  private static func conversation(_ content: Row.Content) -> ([Row.Message], String?) {
    switch content {
    case .exchange(let prompt, let response): ([.init(.user, prompt)], response)
    case .instruction(let task, let input, let response):
      ([.init(.user, input.isEmpty ? task : "\(task)\n\n\(input)")], response)
    case .conversation(let messages, let response): (messages, response)
    case .text(let text): ([], text)
    }
  }

  private func unfit(_ what: String) -> Diagnostic {
    .input(
      "is \(what), which the template \(rawValue) cannot write",
      remedy: "choose one of chatml, llama2 and zephyr, whichever the model was trained with")
  }
}
