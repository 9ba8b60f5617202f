public import Configuration
import Diagnostics
import JSON
public import Samples

/// How the rows of a file become token sequences; its keys stand beside those of the section or stage that reads rows.
public struct RowFormat: Sendable, Equatable, Codable {
  /// How a row becomes the text of a prompt and a response.
  public var template = Template.plain
  /// Which turns of a conversation are scored.
  public var trainOn = TrainOn.last
  /// What a chat template takes for the present, `YYYY-MM-DD`, where it asks; where absent, the day on which what is made
  /// was begun.
  public var date: String?
  /// Further variables for the model's chat template, such as `enable_thinking`; those of a row win.
  public var chatVariables = FreeForm(.object(JSONObject()))
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
    case template, date, fields, separator
    case trainOn = "train_on"
    case chatVariables = "chat_template_kwargs"
    case endOfText = "end_of_text"
    case maximumLength = "max_length"
    case longPrompts = "long_prompts"
    case emptyResponses = "empty_responses"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    template = try keys.decode(.template, default: template)
    trainOn = try keys.decode(.trainOn, default: trainOn)
    date = try keys.decodeIfPresent(String.self, forKey: .date)
    chatVariables = try keys.decode(.chatVariables, default: chatVariables)
    endOfText = try keys.decodeIfPresent(EndOfText.Choice.self, forKey: .endOfText)
    fields = try keys.decode(.fields, default: fields)
    separator = try keys.decodeIfPresent(TextSeparator.self, forKey: .separator)
    maximumLength = try keys.decodeIfPresent(Int.self, forKey: .maximumLength)
    longPrompts = try keys.decode(.longPrompts, default: longPrompts)
    emptyResponses = try keys.decode(.emptyResponses, default: emptyResponses)
    try keys.checked(validate)
  }

  /// Checks the lengths and the date.
  package func validate() throws {
    try CodingKeys.maximumLength.check(maximumLength, in: 2...Limits.sequence)
    if let date { try ChatTemplate.check(date: date) }
    guard chatVariables.value.objectValue == nil else { return }
    throw Diagnostic.input(
      "must name variables and their values", field: CodingKeys.chatVariables.rawValue,
      remedy: "write it as {enable_thinking: false}")
  }
}
