import Diagnostics
import Distillation
import Samples
import Tensor

/// The options that say how rows become tokens, the same for every verb that reads rows.
struct DataParameters: Sendable {
  let data = Parameter<String>.required(
    "data", "FILE",
    "Rows: JSONL, one JSON array, or text with --separator; .gz and .zst too; or a pattern such as 'data/*.jsonl'.")
  let template = Parameter<Template>.option(
    "template", "NAME", default: .plain, "How a row becomes a prompt: plain, alpaca, chatml, llama2 or zephyr.")
  let endOfText = Parameter<EndOfText.Choice?>.optional(
    "end-of-text", "TOKEN", without: "decided by template, tokenizer and model",
    "Token (text or id) that ends a response.")
  let maximumLength = Parameter<Int?>.optional(
    "max-length", "N", without: "the model's context", allowed: .count(from: 2),
    "Longest sample in tokens, special tokens included.")
  let longPrompts = Parameter<SampleBuilder.LongPrompts>.option(
    "long-prompts", "POLICY", default: .refuse,
    "What happens to a prompt that leaves no room for a response: refuse, drop or truncate-prompt-left.")
  let emptyResponses = Parameter<Dataset.EmptyResponses>.option(
    "empty-responses", "POLICY", default: .refuse, "What happens to a row whose response is empty: refuse or skip.")
  let fields = Parameter<[String]>.repeated(
    "field", "NAME=FIELD", "Reads NAME (such as prompt or response) from the rows' FIELD.")
  let separator = Parameter<String?>.optional(
    "separator", "NAME", without: "the file is JSON",
    "The file is plain text, its rows divided by: line, blank-line, file or literal:TEXT.")

  var specifications: [ParameterSpecification] {
    [
      data.specification, template.specification, endOfText.specification, maximumLength.specification,
      longPrompts.specification, emptyResponses.specification, fields.specification, separator.specification,
    ]
  }

  func format(_ arguments: Arguments) throws -> RowFormat {
    var format = RowFormat()
    format.template = arguments[template]
    format.endOfText = arguments[endOfText]
    format.maximumLength = arguments[maximumLength]
    format.longPrompts = arguments[longPrompts]
    format.emptyResponses = arguments[emptyResponses]
    format.separator = arguments[separator]
    var names: [String: String] = [:]
    for pair in arguments[fields] {
      let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw Diagnostic.input(
          "'\(pair)' is not NAME=FIELD", field: "--field", remedy: "write for instance --field prompt=question")
      }
      names[parts[0]] = parts[1]
    }
    format.fields = try FieldNames(names)
    return format
  }
}

extension Precision: ArgumentValue {}

extension Parameter where Value == Precision {
  /// What matrix products round their operands to, the same for every verb that runs a model.
  static var precision: Parameter<Precision> {
    .option(
      "precision", "P", default: .fp32,
      "What matrix products round their operands to: fp32, or bf16, which halves a model's memory.")
  }
}

/// The options of sampling, the same for every verb that writes text.
struct DecodingParameters: Sendable {
  let maximumNewTokens = Parameter<Int>.option(
    "max-new-tokens", "N", default: 128, allowed: .count(from: 1), "Longest response in tokens.")
  let temperature = Parameter<Double>.option(
    "temperature", "T", default: 1, allowed: .atLeast(0), "Divides the logits; 0 is greedy.")
  let topP = Parameter<Double>.option(
    "top-p", "P", default: 1, allowed: .range(0...1), "Samples from the smallest set of tokens with this mass.")
  let topK = Parameter<Int>.option(
    "sample-top-k", "K", default: 0, allowed: .count(from: 0), "Samples from the K most probable tokens; 0 is off.")
  let seed = Parameter<Int>.option("seed", "S", default: 1, allowed: .atLeast(0), "Seeds every random stream.")

  var specifications: [ParameterSpecification] {
    [
      maximumNewTokens.specification, temperature.specification, topP.specification, topK.specification,
      seed.specification,
    ]
  }

  func configuration(_ arguments: Arguments) -> DecodingConfiguration {
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = arguments[maximumNewTokens]
    decoding.temperature = Float(arguments[temperature])
    decoding.topP = Float(arguments[topP])
    decoding.topK = arguments[topK]
    return decoding
  }
}

extension Template: ArgumentValue {}

extension EndOfText.Choice: ArgumentValue {
  package init?(argument: String) {
    if argument.isEmpty { return nil }
    self.init(argument)
  }

  package static var expectation: String { "the text or the id of a token" }

  package var argumentText: String {
    switch self {
    case .token(let text): text
    case .id(let id): "\(id)"
    }
  }
}

extension SampleBuilder.LongPrompts: ArgumentValue {}
extension Dataset.EmptyResponses: ArgumentValue {}
