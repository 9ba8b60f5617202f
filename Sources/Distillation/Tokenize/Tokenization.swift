import Configuration
import Diagnostics
import Files
public import JSON
import Models
public import Provenance
public import Samples
import Sequences
import Tokenizers

/// The rows of a data set as the tokens that a model is given and trained on, for looking at: nothing is computed.
public struct Tokenization: Stage {
  /// A model directory, a GGUF file or a hub id, of which the tokenizer's files are enough.
  public var model: String
  /// The files of rows.
  public var data: DataFiles
  public var format: RowFormat
  /// A JSONL file to write; nil where ``forEachRow(_:)`` is what is wanted.
  public var output: String?
  /// Read rows as prompts that are to be answered, as `generate` does, not as what is trained on.
  public var prompts = false
  /// The first so many rows; all where nil.
  public var limit: Int?

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    public var rows = 0
    public var tokens = 0
    public var scoredTokens = 0
    /// Turns of the assistant that are scored.
    public var turns = 0
    /// Tokens that were cut off.
    public var cutTokens = 0
    /// Rows that were left out for their prompt or their response.
    public var leftOut = 0
  }

  /// A row with its tokens.
  public struct Line: Sendable {
    /// The row's place.
    public var file: String
    public var line: Int
    public var display: SampleDisplay
    /// What each token stands for by itself; of one that is part of a character, U+FFFD.
    public var tokenTexts: [String]

    /// `{"file","line","text","token_ids","scored_positions","prompt_length","roles"}`; `roles` says of each speaker's tokens
    /// the first and the one behind the last.
    public var json: JSONObject {
      let sample = display.sample
      return [
        "file": .string(file), "line": JSONValue(line), "text": .string(display.text),
        "token_ids": .array(sample.tokenIDs.map { JSONValue(Int($0)) }),
        "scored_positions": .array(sample.scoredPositions.map { JSONValue($0) }),
        "prompt_length": JSONValue(sample.promptLength),
        "roles": .array(
          display.parts.map {
            [
              "role": $0.role.map { .string($0) } ?? .null, "start": JSONValue($0.tokens.lowerBound),
              "end": JSONValue($0.tokens.upperBound),
            ]
          }),
      ]
    }
  }

  public init(model: String, data: DataFiles, format: RowFormat = RowFormat()) {
    self.model = model
    self.data = data
    self.format = format
  }

  /// Makes the rows' samples one after the other.
  ///
  /// - Throws: a `Diagnostic` with file and line where a row does not fit, and what `body` throws.
  public func forEachRow(_ body: (Line) throws -> Void) throws -> Outcome {
    try validate()
    let bundle = try TokenizerBundle(directory: try ModelStore.resolve(model)), tokenizer = bundle.tokenizer
    // A tokenizer may lie without a model, or beside one that is no decoder.
    let configuration = try? ModelStore.configuration(in: bundle.directory)
    let source = try SampleSource(
      format, tokenizer: bundle,
      limits: configuration.map { SequenceLimits($0, role: "the model") }
        ?? SequenceLimits(role: "the tokenizer", vocabulary: tokenizer.vocabularySize, context: Limits.sequence),
      ends: configuration?.eosTokenIDs ?? [], chat: format.chatTemplate(of: tokenizer))
    var outcome = Outcome()
    do {
      outcome.leftOut += try source.forEachRow(of: data, asked: prompts) { file, row, display in
        if let limit, outcome.rows >= limit { throw Enough() }
        guard let display else { return outcome.leftOut += 1 }
        outcome.add(display.sample)
        let texts = try display.sample.tokenIDs.map { try tokenizer.decode([$0], skipSpecialTokens: false) }
        try body(Line(file: file, line: row.line, display: display, tokenTexts: texts))
      }
    } catch is Enough {}
    return outcome
  }

  /// Ends the walk over the rows where as many as were wanted have been seen.
  private struct Enough: Error {}

  /// Writes the rows to ``output``, a JSON object a line.
  ///
  /// - Throws: as ``forEachRow(_:)``.
  public func run() throws -> Outcome {
    guard let output else { return try forEachRow { _ in } }
    try File.makeFolder(File.folder(of: output))
    var outcome = Outcome()
    try File.write(to: output) { file in
      outcome = try forEachRow { try file.append(JSONValue.object($0.json).serialized() + [UInt8(ascii: "\n")]) }
    }
    return outcome
  }
}

extension Tokenization.Outcome {
  fileprivate mutating func add(_ sample: Sample) {
    rows += 1
    tokens += sample.tokenIDs.count
    scoredTokens += sample.scoredPositions.count
    turns += sample.turns
    cutTokens += sample.cutTokens
  }
}

// MARK: - As a stage

extension Tokenization {
  public static let name = "tokenize"
  public static let filled = [(key: "output", value: FilledValue.entry("tokens.jsonl"))]

  public var productIsThere: Bool { output.map(File.exists) ?? false }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("model", model: model)
    try made.pinIfThere("data", rows: data)
    return made
  }

  private enum CodingKeys: String, CodingKey { case model, data, output, prompts, limit }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      model: try keys.decode(.model), data: try keys.decode(.data), format: try RowFormat(from: decoder))
    output = try keys.decodeIfPresent(String.self, forKey: .output)
    prompts = try keys.decode(.prompts, default: prompts)
    limit = try keys.decodeIfPresent(Int.self, forKey: .limit)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(model, forKey: .model)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encodeIfPresent(output, forKey: .output)
    try keys.encode(prompts, forKey: .prompts)
    try keys.encodeIfPresent(limit, forKey: .limit)
  }

  public func validate() throws {
    try format.validate()
    if let limit { try CodingKeys.limit.checkPositive(limit) }
  }
}
