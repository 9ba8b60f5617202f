import Diagnostics
import JSON

/// Finds the shape of a JSON row.
struct RowReader {
  let fields: FieldNames
  let purpose: Dataset.Purpose
  let file: String

  /// The row's content: the first shape that fits, of prompt and response, instruction and output, messages, text; for
  /// prompts, rows without a response fit too.
  ///
  /// - Parameters:
  ///   - value: The row, of which the members that ``fields`` name are enough.
  ///   - whole: All of the row, for a message.
  /// - Throws: a `Diagnostic` with file and line where no shape fits or a field is of the wrong type.
  func read(
    _ value: JSONValue, line: Int, whole: () throws -> JSONObject
  ) throws -> (content: Row.Content, references: [String]) {
    do {
      guard value.objectValue != nil else { throw Diagnostic.input("is \(value.kind), but a row is an object") }
      let row = JSONField(value, file: file)
      if let found = try complete(row) { return found }
      if purpose != .training, let content = try promptOnly(row) { return (content, []) }
      if let fault = nullField(row) { throw fault }
      throw Diagnostic.input(
        "fits no shape: its keys are \(try keys(whole()))",
        remedy: "give \(wanted), or map other names with fields:")
    } catch let diagnostic as Diagnostic {
      throw diagnostic.located(file: file, line: line)
    }
  }

  private func complete(_ row: JSONField) throws -> (Row.Content, [String])? {
    if let prompt = try text(row, .prompt), let responses = try responses(row, .response) {
      return (.exchange(prompt: prompt, response: responses.first), responses)
    }
    if let task = try text(row, .instruction),
      // The response where there are both: `generate` puts what a model wrote beside the output that it was not shown.
      let responses = try responses(row, .response) ?? responses(row, .output)
    {
      return (.instruction(task, input: try input(row), response: responses.first), responses)
    }
    if let messages = try row.optional(fields[.messages]) { return try conversation(messages, row) }
    return try text(row, .text).map { (.text($0), []) }
  }

  private func promptOnly(_ row: JSONField) throws -> Row.Content? {
    if let prompt = try text(row, .prompt) { return .exchange(prompt: prompt, response: nil) }
    return try text(row, .instruction).map { .instruction($0, input: try input(row), response: nil) }
  }

  /// What to say of a row that would fit if a field of it were not null; a null counts as a missing field elsewhere, as
  /// the input of an instruction that has none.
  private func nullField(_ row: JSONField) -> Diagnostic? {
    let wanted: [FieldNames.Field] = [.prompt, .response, .instruction, .output, .messages, .text]
    let nulls = wanted.filter { row.value[fields[$0]]?.isNull == true }.map { fields[$0] }
    guard let first = nulls.first else { return nil }
    let others = nulls.dropFirst().map { "\"\($0)\"" }.joined(separator: ", ")
    return Diagnostic.input(
      "is null\(others.isEmpty ? "" : ", and so is \(others)"), so the row has nothing \(missing)",
      field: first, remedy: "give it a text, or remove the row")
  }

  private var missing: String {
    switch purpose {
    case .training: "to learn"
    case .prompts: "to answer"
    case .texts: "to read"
    }
  }

  private func input(_ row: JSONField) throws -> String { try text(row, .input) ?? text(row, .context) ?? "" }

  private func text(_ row: JSONField, _ field: FieldNames.Field) throws -> String? {
    try row.optional(fields[field])?.string()
  }

  /// A response, or several of which any is right.
  private func responses(_ row: JSONField, _ field: FieldNames.Field) throws -> [String]? {
    guard let value = try row.optional(fields[field]) else { return nil }
    // Where prompts are wanted, a response is not read, and may be anything.
    if purpose == .prompts && value.value.stringValue == nil { return nil }
    guard value.value.arrayValue != nil else { return [try value.string()] }
    let texts = try value.elements().map { try $0.string() }
    guard !texts.isEmpty else { throw value.diagnostic("is an empty list of responses") }
    return texts
  }

  private func conversation(_ field: JSONField, _ row: JSONField) throws -> (Row.Content, [String]) {
    let messages = try field.elements().map(message)
    guard let last = messages.last else { throw field.diagnostic("is empty") }
    if purpose == .training, !messages.contains(where: \.isAssistant) {
      throw field.diagnostic(
        "ends with a message of the \(last.role) and has none of the assistant, so there is no response",
        remedy: "add the assistant's answer, or leave the row out")
    }
    let conversation = Conversation(
      messages, tools: try row.optional(fields[.tools])?.elements().map(\.value),
      variables: try row.optional(fields[.chatTemplateVariables])?.object() ?? JSONObject())
    return (.conversation(conversation), [conversation.response?.text].compactMap(\.self))
  }

  private func message(_ field: JSONField) throws -> Conversation.Message {
    let fields = try field.object(), role = try field.required("role").string()
    guard let content = try field.optional("content") else {
      // A turn that calls tools needs no text, and is often written with a null.
      guard fields["tool_calls"].map({ !$0.isNull }) ?? false else {
        throw try field.required("content").diagnostic(
          "is null", remedy: "give it a text, or tool_calls, or remove the row")
      }
      return Conversation.Message(fields, role: role, text: nil)
    }
    return Conversation.Message(fields, role: role, text: try text(content))
  }

  /// The text of a message, which may be a list of parts such as `{"type": "text", "text": ...}`.
  private func text(_ field: JSONField) throws -> String {
    guard field.value.arrayValue != nil else { return try field.string() }
    return try field.elements().map { part in
      let type = try part.required("type").string()
      guard type == "text" else {
        throw part.diagnostic(
          "is of type \(JSONValue.string(type).text()), but only parts of type \"text\" are read",
          remedy: "leave rows with images and audio out")
      }
      return try part.required("text").string()
    }.joined()
  }

  private var wanted: String {
    // Where a row is the text of one field, the others have no names.
    if fields[.prompt].isEmpty { return "\"\(fields[.text])\"" }
    let (prompt, instruction) = ("\"\(fields[.prompt])\"", "\"\(fields[.instruction])\"")
    let (messages, text) = ("\"\(fields[.messages])\"", "\"\(fields[.text])\"")
    switch purpose {
    case .training:
      return
        "\(prompt) and \"\(fields[.response])\", \(instruction) and \"\(fields[.output])\", \(messages), or \(text)"
    case .prompts, .texts: return "\(prompt), \(instruction), \(messages), or \(text)"
    }
  }

  private func keys(_ row: JSONObject) -> String {
    row.keys.isEmpty ? "none" : row.keys.map { "\"\($0)\"" }.joined(separator: ", ")
  }
}
