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
      let responses = try responses(row, .output) ?? responses(row, .response)
    {
      return (.instruction(task, input: try input(row), response: responses.first), responses)
    }
    if let messages = try row.optional(fields[.messages]) { return try conversation(messages) }
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

  private func conversation(_ field: JSONField) throws -> (Row.Content, [String]) {
    var messages = try field.elements().map { message in
      let role = try message.required("role")
      guard let known = Row.Message.Role(rawValue: try role.string()) else {
        let roles = Row.Message.Role.allCases.map(\.rawValue).joined(separator: ", ")
        throw role.diagnostic("is \(role.value.text()), but must be one of \(roles)")
      }
      return Row.Message(known, try content(message.required("content")))
    }
    guard let last = messages.last else { throw field.diagnostic("is empty") }
    if last.role == .assistant {
      messages.removeLast()
      guard messages.last?.role == .user else {
        throw field.diagnostic("has a response that follows no message of the user")
      }
      return (.conversation(messages, response: last.content), [last.content])
    }
    guard last.role == .user, purpose != .training else {
      throw field.diagnostic("ends with a message of the \(last.role.rawValue), so there is no response")
    }
    return (.conversation(messages, response: nil), [])
  }

  /// The text of a message, which may be a list of parts such as `{"type": "text", "text": ...}`.
  private func content(_ field: JSONField) throws -> String {
    guard field.value.arrayValue != nil else { return try field.string() }
    return try field.elements().map { part in
      let type = try part.required("type").string()
      guard type == "text" else {
        throw part.diagnostic(
          "is of type \(JSONValue.string(type).text()), but only parts of type \"text\" are read",
          remedy: "leave rows with images, audio or tools out")
      }
      return try part.required("text").string()
    }.joined()
  }

  private var wanted: String {
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
