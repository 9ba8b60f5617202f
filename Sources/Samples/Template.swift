import Diagnostics

/// How a row becomes the text of a prompt and of a response.
///
/// By all but ``model(_:)`` a response follows its prompt with nothing between, and what ends it is the one token that
/// ``EndOfText`` decides, which the ``SampleBuilder`` adds. A row of running text is left as it is by every template.
public enum Template: Sendable, Equatable, Codable, CustomStringConvertible {
  /// Prompts and responses as they are. Of an instruction, the task and its input, each on lines of its own. A conversation,
  /// which is no such text, is written by the model's own chat template, where it has one.
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
  /// The model's own chat template (``ChatTemplate``): `model`, or `model:NAME` for one of several.
  case model(String? = nil)

  /// All that need no model.
  public static let fixed: [Template] = [.plain, .alpaca, .chatml, .llama2, .zephyr]

  /// What a configuration calls it.
  public var description: String {
    switch self {
    case .plain: "plain"
    case .alpaca: "alpaca"
    case .chatml: "chatml"
    case .llama2: "llama2"
    case .zephyr: "zephyr"
    case .model(nil): "model"
    case .model(let name?): "model:\(name)"
    }
  }

  /// Whether it may need the model's own chat template: for conversations, or for everything.
  public var mayNeedModel: Bool { self == .plain || isOfModel }

  /// Whether it is the model's own.
  var isOfModel: Bool { if case .model = self { true } else { false } }

  /// The text that ends a turn of this template and of no other, which is a token where a tokenizer has it as one; nil
  /// where turns end with the end-of-text token itself, there are no turns, or the model's own template says it.
  public var endOfTurn: String? { self == .chatml ? ChatFormat.chatmlEnd : nil }

  /// A template by its name.
  ///
  /// - Throws: a `Diagnostic` that lists the names.
  public init(named name: String) throws {
    if let found = Self.fixed.first(where: { $0.description == name }) {
      self = found
    } else if name == "model" {
      self = .model()
    } else if name.hasPrefix("model:"), name.utf8.count > 6 {
      self = .model(String(name.dropFirst(6)))
    } else {
      let names = Self.fixed.map(\.description) + ["model"]
      throw Diagnostic.input(
        "'\(name)' is not a template; there are \(names.joined(separator: ", ")), and model:NAME", field: "template",
        remedy: Spelling.nearest(to: name, in: names).map { "did you mean '\($0)'?" }
          ?? "choose the one that the model was trained with")
    }
  }

  public init(from decoder: any Decoder) throws {
    let name = try decoder.singleValueContainer().decode(String.self)
    do { try self.init(named: name) } catch var fault as Diagnostic {
      // Whoever decodes knows which field it is.
      fault.field = nil
      throw fault
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }

  /// The text of a row.
  ///
  /// - Parameters:
  ///   - tokens: The texts of the beginning- and end-of-sequence tokens, which some chats write between turns.
  ///   - turns: Which turns of a conversation are scored.
  /// - Throws: a `Diagnostic` where the row's shape does not fit the template.
  /// - Precondition: it is a fixed one.
  package func render(
    _ content: Row.Content, _ tokens: SequenceTokens, scoring turns: TrainOn = .last
  ) throws -> RenderedText {
    if case .text(let text) = content { return RenderedText(prompt: "", response: text) }
    switch self {
    case .plain: return try plain(content)
    case .alpaca: return try alpaca(content)
    case .chatml, .llama2, .zephyr:
      let format = ChatFormat(template: self, tokens: tokens)
      return try format.text(content.asConversation, scoring: turns)
    case .model: preconditionFailure("a model's own template is rendered by itself")
    }
  }

  private func plain(_ content: Row.Content) throws -> RenderedText {
    switch content {
    case .exchange(let prompt, let response): return RenderedText(prompt: prompt, response: response)
    case .instruction(let task, let input, let response):
      return RenderedText(prompt: input.isEmpty ? "\(task)\n" : "\(task)\n\(input)\n", response: response)
    case .conversation, .text: throw unfit("a conversation")
    }
  }

  private func alpaca(_ content: Row.Content) throws -> RenderedText {
    switch content {
    case .exchange(let prompt, let response):
      return RenderedText(prompt: Self.alpaca(prompt, input: ""), response: response)
    case .instruction(let task, let input, let response):
      return RenderedText(prompt: Self.alpaca(task, input: input), response: response)
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

  private func unfit(_ what: String) -> Diagnostic {
    .input(
      "is \(what), which the template \(self) cannot write",
      remedy:
        "choose one of chatml, llama2 and zephyr, whichever the model was trained with, or use the tokenizer files "
        + "of a model that has a chat template")
  }
}
