import Diagnostics
public import JSON

/// A chat template as models bring it: a small program in the language of Jinja, which renders a conversation to the
/// text that a model was trained on.
///
/// Renders byte for byte what `apply_chat_template` of transformers renders. The program comes with a model and is not
/// trusted: it reads nothing but its variables, and ``Limits`` bound its time and memory.
///
/// ```swift
/// let template = try JinjaTemplate(source, file: "chat_template.jinja")
/// let variables: JSONObject = ["messages": messages, "add_generation_prompt": true]
/// let text = try template.render(variables, now: CalendarTime("2026-01-31")!).text
/// ```
///
/// A template is parsed once, and may be rendered by several threads at a time.
public struct JinjaTemplate: Sendable {
  /// What rendering gives.
  public struct Rendering: Sendable, Equatable {
    public var text: String
    /// What was written inside of `{% generation %}` blocks, as ranges of bytes of `text`, in the order in which the
    /// blocks ended.
    public var generated: [Range<Int>]

    public init(text: String, generated: [Range<Int>]) {
      self.text = text
      self.generated = generated
    }
  }

  /// Whether rendering may ask for the current date: `strftime_now` is named in the template.
  public let usesDate: Bool
  /// Whether the template marks what the assistant wrote, by `{% generation %}`.
  public let marksGeneration: Bool
  private let program: Program
  private let file: String?

  /// Parses a template.
  ///
  /// - Parameter file: Name for messages.
  /// - Throws: a `Diagnostic` of category `input` with the line, for what Jinja refuses, and for what is not supported,
  ///   by its name.
  public init(_ source: String, file: String? = nil) throws {
    do {
      var parser = try Parser(Lexer.tokens(of: source))
      let body = try parser.template()
      program = try Resolver.program(of: body, names: parser.nameCount)
      usesDate = parser.usesDate
      marksGeneration = parser.marksGeneration
      self.file = file
    } catch {
      throw error.located(file: file)
    }
  }

  /// Renders the template.
  ///
  /// - Parameters:
  ///   - variables: What the template sees, such as `messages`, `tools` and `add_generation_prompt`.
  ///   - now: The date and time that it is told where it asks.
  /// - Throws: a `Diagnostic` of category `input` with the line where the template refuses the variables, fails as it
  ///   would in Python, or exceeds a limit.
  public func render(
    _ variables: JSONObject, now: CalendarTime, limits: Limits = Limits()
  ) throws -> Rendering {
    let interpreter = Interpreter(program, now: now, limits: limits)
    defer { interpreter.release() }
    do {
      return try interpreter.render(variables)
    } catch let fault as Diagnostic {
      throw fault.located(file: file, line: interpreter.line)
    }
  }
}
