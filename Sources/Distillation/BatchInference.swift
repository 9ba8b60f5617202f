import Diagnostics
import Evaluation
import Files
import Fingerprints
import FoundationEssentials
import Generation
import JSON
import Models
import RandomStreams
import Samples
import Telemetry
public import Tensor
import Tokenizers

/// Batch inference over a data set: every row again, with a response.
///
/// Rows come out in input order, each as soon as all before it are there, so a killed run leaves a valid prefix that the
/// next run goes on from. A row's text depends on the seed and its place in the file alone.
public struct BatchInference: Sendable {
  public var model: String
  /// The file of rows.
  public var data: String
  public var format: RowFormat
  /// The JSONL file to write.
  public var output: String
  public var decoding: DecodingConfiguration
  public var seed: UInt64 = 1
  /// Of the model's matrix products.
  public var precision = Precision.fp32
  /// Rows decoded together.
  public var slots = 32

  public struct Outcome: Sendable, Equatable {
    public var rows: Int
    /// Rows that stood in the output already.
    public var resumedRows: Int
    public var generatedTokens: Int
    public var interrupted: Bool
  }

  public init(model: String, data: String, format: RowFormat, output: String, decoding: DecodingConfiguration) {
    self.model = model
    self.data = data
    self.format = format
    self.output = output
    self.decoding = decoding
  }

  /// Writes the responses that are still missing.
  ///
  /// - Throws: a `Diagnostic` where the output was begun with another model, data set or setting, or a prompt leaves no
  ///   room for a response.
  public func run() throws -> Outcome {
    EngineAnnouncement.print(precision)
    let loaded = try ModelStore.load(model, trainable: false, precision: precision)
    let bundle = try TokenizerBundle(directory: loaded.directory)
    let source = try SampleSource(format, tokenizer: bundle, model: loaded.model.configuration)
    let (dataset, set) = try source.prompts(of: data)
    var made = Provenance()
    made.pin("model", loaded.fingerprint, place: loaded.directory)
    try made.pin("data", file: data)
    made.pin("tokenizer", bundle.fingerprint, place: bundle.directory)
    made.pin("samples", set.fingerprint)
    made.pin("end_of_text", source.endOfText)
    made.pin("decoding", decoding)
    made.pin("seed", seed)
    made.pin("precision", precision.rawValue)
    made.pinEngine()
    let done = try ResponseFile.prepare(output, madeFrom: made)
    var outcome = Outcome(rows: set.samples.count, resumedRows: done, generatedTokens: 0, interrupted: false)
    guard done < set.samples.count else { return outcome }
    if done > 0 { Log.info("\(output): \(done) of \(set.samples.count) rows are there, going on") }
    let rows = try set.rowIndices[done...].map { try dataset.original(dataset.rows[$0]) }
    let prompts = set.samples[done...].map(\.tokenIDs)
    let writer = try ResponseFile(appendingTo: output, rows: rows, prompts: prompts, tokenizer: bundle.tokenizer)
    let configuration = loaded.model.configuration
    let ends = source.endOfText.stops
    let vocabulary = WritableVocabulary(model: configuration, tokenizer: bundle.tokenizer, ends: ends)
    if let notice = vocabulary.notice(configuration, role: "the model") { Log.info(notice) }
    let generator = try Generator(
      model: loaded.model, settings: decoding.settings, eosTokenIDs: ends, vocabulary: vocabulary, batchSize: slots,
      stream: RandomStream(seed: seed, name: "decoding"))
    let memory = generator.memory(prompts: prompts)
    if let memory { InferenceForecast(parameters: loaded.model.parameters.bytes, decoding: memory).announce() }
    let progress = Progress("generate", total: set.samples.count, unit: "rows", rateUnit: "tokens", done: done)
    do {
      let streams = prompts.indices.map { UInt64(done + $0) }
      try generator.generate(prompts: prompts, streamIndices: streams, forecast: memory) { index, completion in
        outcome.generatedTokens += completion.tokenIDs.count
        try writer.add(completion, at: index)
        progress.advance(work: completion.tokenIDs.count)
        if Interruption.requested { throw Interrupted() }
      }
    } catch is Interrupted {
      outcome.interrupted = true
    }
    try writer.finish()
    progress.finish()
    Log.info("memory: \(Readable.mebibytes(ProcessMemory.peak)) MiB at its peak")
    return outcome
  }
}

/// Leaves a generation from inside its callback.
struct Interrupted: Error {}

/// The output file: rows in input order, appended as the prefix of finished ones grows.
private final class ResponseFile {
  private let file: AppendingFile
  private let rows: [JSONObject]
  private let prompts: [[Int32]]
  private let tokenizer: Tokenizer
  private var waiting: [Int: Completion] = [:]
  /// Rows appended by this object.
  private(set) var written = 0

  init(appendingTo path: String, rows: [JSONObject], prompts: [[Int32]], tokenizer: Tokenizer) throws {
    file = try AppendingFile(path: path)
    self.rows = rows
    self.prompts = prompts
    self.tokenizer = tokenizer
  }

  /// Checks an existing output against what is asked for and cuts off a half-written last line.
  ///
  /// - Returns: rows that are complete.
  static func prepare(_ path: String, madeFrom now: Provenance) throws -> Int {
    let marker = "\(path).made-by"
    guard File.exists(path), let size = File.size(path), size > 0 else {
      try now.write(to: marker)
      return 0
    }
    let remedy = "choose another --output, or remove the file"
    guard let before = try Self.provenance(marker) else {
      throw Diagnostic.input(
        "holds rows, and nothing says what they were made from", file: path, field: "--output", remedy: remedy)
    }
    try before.check(now, file: path, remedy: remedy)
    let bytes = try File.read(path)
    let newline = UInt8(ascii: "\n")
    let complete = bytes.lastIndex(of: newline).map { $0 + 1 } ?? 0
    if complete < bytes.count { try File.truncate(path, to: complete) }
    return bytes[..<complete].count { $0 == newline }
  }

  /// What an output was made from; nil where nothing readable says so, as of versions that wrote one fingerprint alone.
  private static func provenance(_ marker: String) throws -> Provenance? {
    guard File.exists(marker), try File.read(marker).first == UInt8(ascii: "{") else { return nil }
    return try Provenance(path: marker)
  }

  func add(_ completion: Completion, at index: Int) throws {
    waiting[index] = completion
    while let next = waiting.removeValue(forKey: written) {
      var object = rows[written]
      object["response"] = .string(tokenizer.response(next.contentTokenIDs, after: prompts[written]))
      object["token_ids"] = .array(next.tokenIDs.map { .integer(Int64($0)) })
      object["finish_reason"] = .string(next.finishReason.rawValue)
      try file.append(JSONValue.object(object).serialized() + [UInt8(ascii: "\n")])
      written += 1
    }
  }

  func finish() throws { try file.synchronize() }
}
