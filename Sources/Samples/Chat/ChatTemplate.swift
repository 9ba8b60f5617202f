import Diagnostics
public import Fingerprints
import Glibc
public import JSON
import Jinja
public import Tokenizers

/// A model's own chat template: the program in Jinja that its makers wrote, with all that its text depends on beside the
/// conversation. It is one value, kept by content, so that a cache and a run can say which one made their samples, and a
/// run can go on with the one of its teacher.
///
/// What it writes is what `apply_chat_template` of transformers writes (5.24): null fields of messages are left out, and
/// what an assistant thought goes by every name that templates know it by.
public struct ChatTemplate: Sendable, Equatable {
  /// A template by its name, of which a model may have several; `default` where there is one alone.
  private struct Variant: Sendable, Equatable {
    var name: String
    var source: String
    /// What it parses to, or why it cannot be: told when a conversation needs it, as not every job has any.
    var program: Result<JinjaTemplate, Diagnostic>

    init(_ file: ChatTemplateFile) {
      (name, source) = (file.name, file.text)
      do { program = .success(try JinjaTemplate(source, file: file.path)) } catch {
        program = .failure(error as? Diagnostic ?? .input("\(error)", file: file.path))
      }
    }

    static func == (a: Variant, b: Variant) -> Bool { a.name == b.name && a.source == b.source }
  }

  private let variants: [Variant]
  /// The texts of the tokens that templates name, such as `bos_token`.
  private let tokens: JSONObject
  /// What `strftime_now` takes for the present, `YYYY-MM-DD`; nil where no template asks.
  public let date: String?
  /// Variables of the settings' own, such as `enable_thinking`; a row's win over them.
  private let variables: JSONObject
  private let now: CalendarTime
  /// Where it was read from, for messages.
  public let place: String

  /// The chat template of a tokenizer's files; nil where they have none.
  ///
  /// - Parameters:
  ///   - name: Chooses one of several for every row; without it rows with tools take `tool_use` where there is one, and
  ///     all others `default`.
  ///   - date: What `strftime_now` takes for the present, `YYYY-MM-DD`.
  ///   - variables: Further variables.
  /// - Throws: a `Diagnostic` where there is none of the name.
  public init?(
    _ tokenizer: Tokenizer, named name: String? = nil, date: String, variables: JSONObject = JSONObject()
  ) throws {
    let all = tokenizer.chatTemplates
    if all.isEmpty { return nil }
    guard let name else {
      let wanted = all.filter { ["default", "tool_use"].contains($0.name) }
      guard wanted.contains(where: { $0.name == "default" }) else {
        throw Self.unknown("default", all.map(\.name), tokenizer)
      }
      self.init(wanted, tokens: tokenizer.namedTokens, date: date, variables: variables)
      return
    }
    guard let found = all.first(where: { $0.name == name }) else {
      throw Self.unknown(name, all.map(\.name), tokenizer)
    }
    self.init(
      [ChatTemplateFile(name: "default", text: found.text, path: found.path)], tokens: tokenizer.namedTokens,
      date: date, variables: variables)
  }

  private static func unknown(_ name: String, _ names: [String], _ tokenizer: Tokenizer) -> Diagnostic {
    .input(
      "the model has no chat template '\(name)'; there are \(names.joined(separator: ", "))", file: tokenizer.path,
      field: "template", remedy: "choose one with template model:NAME")
  }

  private init(_ files: [ChatTemplateFile], tokens: JSONObject, date: String, variables: JSONObject) {
    variants = files.map(Variant.init)
    self.tokens = tokens
    self.variables = variables
    place = files[0].path
    let usesDate = variants.contains { (try? $0.program.get().usesDate) ?? false }
    self.date = usesDate ? date : nil
    now = CalendarTime(date) ?? Self.unknownTime
  }

  public static func == (a: ChatTemplate, b: ChatTemplate) -> Bool { a.record == b.record }

  // MARK: Content

  /// The texts of the tokens that the template names.
  var tokenTexts: [String] { tokens.entries.compactMap(\.value.stringValue) }

  /// All that its text depends on, for keeping: `templates` by name, `tokens`, `variables`, and `date` where one asks.
  public var record: JSONObject {
    var record: JSONObject = [
      "templates": .object(JSONObject(variants.map { ($0.name, .string($0.source)) })), "tokens": .object(tokens),
      "variables": .object(variables),
    ]
    if let date { record["date"] = .string(date) }
    return record
  }

  /// Reads a ``record``.
  ///
  /// - Parameter place: Where it was kept, for messages.
  /// - Throws: a `Diagnostic` with the field that is missing or wrong.
  public init(record: JSONField, place: String) throws {
    let files = try record.required("templates").members().map {
      ChatTemplateFile(name: $0.key, text: try $0.field.string(), path: place)
    }
    guard !files.isEmpty else { throw try record.required("templates").diagnostic("is empty") }
    self.init(
      files, tokens: try record.required("tokens").object(), date: try record.optional("date")?.string() ?? "",
      variables: try record.required("variables").object())
  }

  /// Of the ``record``.
  public var fingerprint: Fingerprint { Fingerprint(of: JSONValue.object(record).serialized()) }

  /// Of a record whose template asks for no date.
  private static let unknownTime = CalendarTime(year: 1970, month: 1, day: 1)!

  /// Today by the machine's clock and time zone, `YYYY-MM-DD`.
  public static func today() -> String {
    var seconds = time(nil), parts = unsafe tm()
    unsafe localtime_r(&seconds, &parts)
    func digits(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return unsafe "\(parts.tm_year + 1900)-\(digits(parts.tm_mon + 1))-\(digits(parts.tm_mday))"
  }

  /// Refuses what is no date.
  ///
  /// - Throws: a `Diagnostic` of category `input` for the field `date`.
  public static func check(date: String) throws {
    guard CalendarTime(date) == nil else { return }
    throw Diagnostic.input("'\(date)' is no date", field: "date", remedy: "write it as 2026-01-31")
  }

  /// The template that rows without tools take.
  public var text: String { variants.first { $0.name == "default" }?.source ?? variants[0].source }

  // MARK: Rendering

  /// What a rendering gave.
  struct Output {
    var text: String
    /// What `{% generation %}` marks; nil where the template marks nothing.
    var marked: [Range<Int>]?
  }

  /// The text of the first turns of a conversation.
  ///
  /// - Parameter asking: Whether the assistant's next turn is begun, `add_generation_prompt`.
  /// - Throws: a `Diagnostic` with the field `messages` where the template refuses them, and with the template's own place
  ///   where it cannot be run.
  func render(_ conversation: Conversation, first count: Int, asking: Bool) throws -> Output {
    let program = try variant(for: conversation).program.get()
    var values = tokens
    for entry in variables.entries + conversation.variables.entries { values[entry.key] = entry.value }
    values["messages"] = .array(conversation.messages.prefix(count).map { .object(Self.plain($0.fields)) })
    values["tools"] = conversation.tools.map { .array($0) } ?? .null
    values["documents"] = values["documents"] ?? .null
    values["add_generation_prompt"] = .bool(asking)
    do {
      let rendering = try program.render(values, now: now)
      return Output(
        text: rendering.text,
        marked: program.marksGeneration ? rendering.generated.sorted { $0.lowerBound < $1.lowerBound } : nil)
    } catch let fault as Diagnostic {
      let line = fault.line.map { ", line \($0)" } ?? ""
      throw Diagnostic.input(
        "the chat template (\(fault.file ?? place)\(line)) cannot write it: \(fault.message)", field: "messages",
        remedy: fault.remedy ?? "mend the row or leave it out, or choose another template")
    }
  }

  private func variant(for conversation: Conversation) -> Variant {
    let name = conversation.tools == nil ? "default" : "tool_use"
    return variants.first { $0.name == name } ?? variants.first { $0.name == "default" } ?? variants[0]
  }

  /// A message as templates are given it: what the assistant thought under each name that it goes by, nothing null.
  private static func plain(_ fields: JSONObject) -> JSONObject {
    let given = fields.entries.filter { !$0.value.isNull }.map { ($0.key, $0.value) }
    let names = ["reasoning_content", "thinking", "reasoning"]
    guard let thought = names.compactMap({ name in given.first { $0.0 == name }?.1 }).first else {
      return JSONObject(given)
    }
    var message = JSONObject([("thinking", thought)])
    for (key, value) in given { message[key] = value }
    message["reasoning_content"] = thought
    return message
  }
}
