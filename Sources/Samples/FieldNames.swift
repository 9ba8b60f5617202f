import Diagnostics

/// What the fields of a row are called in a file, where that is not what Decant calls them: `fields:` in a
/// configuration, such as `{prompt: question, response: answer}`.
public struct FieldNames: Codable, Sendable, Equatable {
  /// The names Decant knows.
  public enum Field: String, Sendable, CaseIterable {
    case prompt, response, instruction, input, context, output, messages, text, tools
    case chatTemplateVariables = "chat_template_kwargs"
  }

  /// Names that differ from Decant's own, by Decant's.
  private var changed: [String: String] = [:]

  /// Decant's own names.
  public init() {}

  /// Names by Decant's name.
  ///
  /// - Throws: a `Diagnostic` where a name of Decant's is not one.
  public init(_ names: [String: String]) throws {
    for name in names.keys.sorted() where Field(rawValue: name) == nil {
      let known = Field.allCases.map(\.rawValue)
      throw Diagnostic.input(
        "'\(name)' is not a field of a row; there are \(known.joined(separator: ", "))",
        remedy: Spelling.nearest(to: name, in: known).map { "did you mean '\($0)'?" })
    }
    changed = names
  }

  /// Rows that are the text of one field, whatever else they have.
  public init(textOf field: String) {
    // No row has a field without a name.
    for other in Field.allCases { changed[other.rawValue] = "" }
    changed[Field.text.rawValue] = field
  }

  public init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode([String: String].self))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(changed)
  }

  /// What a field is called in the file.
  public subscript(field: Field) -> String { changed[field.rawValue] ?? field.rawValue }

  /// What the fields are called in the file, in the order of ``Field``.
  var names: [String] { Field.allCases.map { self[$0] } }

  /// The changed names in the order of the fields, for fingerprints.
  var description: String {
    Field.allCases.compactMap { field in changed[field.rawValue].map { "\(field.rawValue)=\($0)" } }.joined(
      separator: ",")
  }
}
