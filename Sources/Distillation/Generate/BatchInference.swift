import Configuration
import Diagnostics
import Evaluation
import Files
import Fingerprints
import FoundationEssentials
import Generation
import JSON
import Models
import RandomStreams
public import Provenance
public import Samples
import Sequences
import Telemetry
public import Tensor
import Tokenizers

/// Batch inference over a data set: every row again, with a response.
///
/// Rows come out in input order, each as soon as all before it are there, so a killed run leaves a valid prefix that the
/// next run goes on from. A row's text depends on the seed and its place in the file alone.
public struct BatchInference: Stage {
  public var model: String
  /// The files of rows.
  public var data: DataFiles
  public var format: RowFormat
  /// The JSONL file to write.
  public var output: String
  public var decoding: DecodingConfiguration
  /// Seeds what is drawn.
  public var seed: UInt64 = 1
  /// Of the model's matrix products.
  public var precision = Precision.fp32
  /// Rows decoded together.
  public var batchSize = 32

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    public var rows: Int
    /// Rows that stood in the output already.
    public var resumedRows: Int
    public var generatedTokens: Int
    public var interrupted: Bool
    /// What became of the rows of the input.
    public var account: RowAccount
  }

  public init(
    model: String, data: DataFiles, format: RowFormat = RowFormat(), output: String,
    decoding: DecodingConfiguration = DecodingConfiguration()
  ) {
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
    try validate()
    EngineAnnouncement.print(precision)
    let destination = try Destination(output)
    let (loaded, bundle, source, samples, made) = try Interruption.endingAtOnce {
      try load(index: destination.isStream ? .temporary : .folder("\(output).index"))
    }
    let index = samples.index
    let check = OutputCheck(
      rowCount: index.count, vocabularySize: loaded.model.configuration.vocabularySize,
      maximumNewTokens: decoding.maximumNewTokens, row: { try index.dataset.original(index.row(at: $0)) },
      text: { try bundle.tokenizer.response($1.contentTokenIDs, after: index.sample(at: $0).tokenIDs) })
    let file = try OutputFile(destination, madeFrom: made, check: check)
    let done = file.rowsThere
    var outcome = Outcome(
      rows: index.count, resumedRows: done, generatedTokens: 0, interrupted: false, account: samples.account)
    guard done < index.count else {
      // Left where a process was killed behind its last row.
      try samples.folder.remove()
      return outcome
    }
    samples.folder.keep()
    if done > 0 { Log.info("\(output): \(done) of \(index.count) rows are there, going on") }
    let writer = ResponseWriter(file, index: index, from: done, tokenizer: bundle.tokenizer)
    let configuration = loaded.model.configuration
    let ends = source.endOfText.stops
    let vocabulary = WritableVocabulary(model: configuration, tokenizer: bundle.tokenizer, ends: ends)
    if let notice = vocabulary.notice(configuration, role: "the model") { Log.info(notice) }
    let generator = try Generator(
      model: loaded.model, settings: decoding.settings, eosTokenIDs: ends, vocabulary: vocabulary, batchSize: batchSize,
      stream: RandomStream(seed: seed, name: "decoding"))
    let longest = index.counts.longestPrompt
    let memory = generator.memory(count: index.count - done, longest: longest)
    if let memory { InferenceForecast(parameters: loaded.model.parameters.bytes, decoding: memory).announce() }
    let progress = Progress("generate", total: index.count, unit: "rows", rateUnit: "tokens", done: done)
    do {
      try generator.generate(
        done..<index.count, longest: longest, prompt: { try index.sample(at: $0).tokenIDs }, streamIndex: UInt64.init,
        forecast: memory, onPass: Interruption.check
      ) { number, completion in
        outcome.generatedTokens += completion.tokenIDs.count
        try writer.add(completion, at: number)
        progress.advance(work: completion.tokenIDs.count)
      }
    } catch is Interrupted {
      outcome.interrupted = true
    }
    try writer.finish()
    progress.finish()
    if !outcome.interrupted { try samples.folder.remove() }
    Log.info("memory: \(Readable.mebibytes(ProcessMemory.peak)) MiB at its peak")
    return outcome
  }

  private func load(
    index place: IndexPlace
  ) throws -> (LoadedModel, TokenizerBundle, SampleSource, IndexedSamples, Provenance) {
    let loaded = try ModelStore.load(model, trainable: false, precision: precision)
    let bundle = try TokenizerBundle(directory: loaded.directory)
    let source = try SampleSource(
      format, tokenizer: bundle, model: loaded.model.configuration,
      chat: format.chatTemplate(of: bundle.tokenizer, begun: OutputFile.date(of: output)))
    let samples = try source.prompts(of: data, index: place, newTokens: decoding.maximumNewTokens)
    let limits = SequenceLimits(loaded.model.configuration, role: "the model")
    try samples.check(limits, lastIsTarget: false, name: "this prompt")
    var made = Provenance()
    try made.pin(model: loaded.fingerprint, of: loaded.directory, data: data, bundle, samples.index)
    made.pin("end_of_text", source.endOfText.description)
    made.pin("decoding", decoding.pinnedText)
    made.pin("seed", seed)
    made.pin("precision", precision.rawValue)
    made.pin(engine: Engine.variant)
    return (loaded, bundle, source, samples, made)
  }
}

// MARK: - As a stage

extension BatchInference {
  public static let name = "generate"
  public static let filled = [
    (key: "output", value: FilledValue.entry("responses.jsonl")), (key: "seed", value: .seed),
  ]

  public var productIsThere: Bool { File.exists(output) }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("model", model: model)
    try made.pinIfThere("data", rows: data)
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case model, data, output, seed, precision
    case batchSize = "batch_size"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      model: try keys.decode(.model), data: try keys.decode(.data), format: try RowFormat(from: decoder),
      output: try keys.decode(.output), decoding: try DecodingConfiguration(from: decoder))
    seed = try keys.decode(.seed, default: seed)
    batchSize = try keys.decode(.batchSize, default: batchSize)
    precision = try keys.decode(.precision, default: precision)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(model, forKey: .model)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encode(output, forKey: .output)
    try decoding.encode(to: encoder)
    try keys.encode(seed, forKey: .seed)
    try keys.encode(batchSize, forKey: .batchSize)
    try keys.encode(precision, forKey: .precision)
  }

  public func validate() throws {
    try format.validate()
    try decoding.validate()
    try CodingKeys.batchSize.checkPositive(batchSize)
  }
}
