import Configuration
import Diagnostics
public import Samples

/// How the rows of a file become token sequences; its keys stand beside those of the section or stage that reads rows.
public struct RowFormat: Sendable, Equatable, Codable {
  /// How a row becomes the text of a prompt and a response.
  public var template = Template.plain
  /// What ends a response, where it is not to be what template, teacher, tokenizer and model say.
  public var endOfText: EndOfText.Choice?
  /// Names of the row's fields where they differ from the usual ones.
  public var fields = FieldNames()
  /// Divides the rows of a plain text file: `line`, `blank-line`, `file` or `literal:TEXT`; absent for JSON.
  public var separator: TextSeparator?
  /// Longest sample in tokens, special tokens included; the model's context where absent.
  public var maximumLength: Int?
  /// What happens to a prompt that leaves no room for a response.
  public var longPrompts = SampleBuilder.LongPrompts.refuse
  /// What happens to a row with an empty response.
  public var emptyResponses = Dataset.EmptyResponses.refuse

  private enum CodingKeys: String, CodingKey {
    case template, fields, separator
    case endOfText = "end_of_text"
    case maximumLength = "max_length"
    case longPrompts = "long_prompts"
    case emptyResponses = "empty_responses"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    template = try keys.decode(.template, default: template)
    endOfText = try keys.decodeIfPresent(EndOfText.Choice.self, forKey: .endOfText)
    fields = try keys.decode(.fields, default: fields)
    separator = try keys.decodeIfPresent(TextSeparator.self, forKey: .separator)
    maximumLength = try keys.decodeIfPresent(Int.self, forKey: .maximumLength)
    longPrompts = try keys.decode(.longPrompts, default: longPrompts)
    emptyResponses = try keys.decode(.emptyResponses, default: emptyResponses)
    try keys.checked(validate)
  }

  /// Checks the lengths.
  package func validate() throws { try CodingKeys.maximumLength.check(maximumLength, in: 2...Limits.sequence) }
}
