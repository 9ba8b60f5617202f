import Diagnostics

/// What the fields of a row are called in a file, where that is not what Decant calls them: `fields:` in a
/// configuration, such as `{prompt: question, response: answer}`.
public struct FieldNames: Codable, Sendable, Equatable {
  /// The names Decant knows.
  public enum Field: String, Sendable, CaseIterable {
    case prompt, response, instruction, input, context, output, messages, text
  }

  private var names: [String: String] = [:]

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
    self.names = names
  }

  public init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode([String: String].self))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(names)
  }

  /// What a field is called in the file.
  public subscript(field: Field) -> String { names[field.rawValue] ?? field.rawValue }

  /// The changed names in the order of the fields, for fingerprints.
  var description: String {
    Field.allCases.compactMap { field in names[field.rawValue].map { "\(field.rawValue)=\($0)" } }.joined(
      separator: ",")
  }
}
