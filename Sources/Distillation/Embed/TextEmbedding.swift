import Configuration
import Diagnostics
import Files
public import Models
public import Provenance
public import Samples
import Sequences
import Telemetry
public import Tensor
import Tokenizers

/// A vector of every row of a data set, of an encoder or of a decoder's hidden states.
///
/// Vectors come out in input order, each as soon as all before it are there, so a killed run leaves a valid prefix that the
/// next run goes on from. A row's vector depends on its content alone, not on its neighbours or its place.
public struct TextEmbedding: Stage {
  public var model: String
  /// The files of rows.
  public var data: DataFiles
  public var format: RowFormat
  /// The file to write: safetensors where its name ends so, else JSONL.
  public var output: String
  /// What becomes of a text's hidden states; nil for what the model's folder says, else their mean.
  public var pooling: Pooling?
  /// Whether vectors get the length 1; nil for what the model's folder says, else false.
  public var normalize: Bool?
  /// Of the model's matrix products.
  public var precision = Precision.fp32
  /// Tokens computed together.
  public var tokensPerBatch = 4096

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    public var rows: Int
    /// Rows that stood in the output already.
    public var resumedRows: Int
    /// Numbers of a vector.
    public var width: Int
    public var pooling: Pooling
    public var isNormalized: Bool
    public var interrupted: Bool
    /// What became of the rows of the input.
    public var account: RowAccount
  }

  public init(model: String, data: DataFiles, format: RowFormat = RowFormat(), output: String) {
    self.model = model
    self.data = data
    self.format = format
    self.output = output
  }

  /// Writes the vectors that are still missing.
  ///
  /// - Throws: a `Diagnostic` where the output was begun with another model, data set or setting, or a row does not fit.
  public func run() throws -> Outcome {
    try validate()
    EngineAnnouncement.print(precision)
    let destination = try Destination(output)
    let work = try Interruption.endingAtOnce {
      try load(index: destination.isStream ? .temporary : .folder("\(output).index"))
    }
    let (embedder, samples, index) = (work.embedder, work.samples, work.samples.index)
    let writer: any VectorOutput =
      output.hasSuffix(".safetensors")
      ? try VectorTensor(destination, rows: index.count, width: embedder.width, madeFrom: work.made)
      : try VectorLines(destination, index: index, width: embedder.width, madeFrom: work.made)
    let done = writer.rowsThere
    var outcome = Outcome(
      rows: index.count, resumedRows: done, width: embedder.width, pooling: embedder.pooling,
      isNormalized: embedder.normalizes, interrupted: false, account: samples.account)
    if done < index.count {
      samples.folder.keep()
      if done > 0 { Log.info("\(output): \(done) of \(index.count) rows are there, going on") }
      outcome.interrupted = try write(from: done, of: index, embedder, into: writer)
      Log.info("memory: \(Readable.mebibytes(ProcessMemory.peak)) MiB at its peak")
    }
    try writer.finish()
    if !outcome.interrupted { try samples.folder.remove() }
    return outcome
  }

  /// Rows that are looked at together.
  private static let windowSize = 1024

  /// - Returns: true where a signal stopped it.
  private func write(
    from first: Int, of index: SampleIndex, _ embedder: Embedder, into writer: some VectorOutput
  ) throws -> Bool {
    let progress = Progress("embed", total: index.count, unit: "rows", rateUnit: "tokens", done: first)
    defer { progress.finish() }
    let arena = Arena()
    for start in stride(from: first, to: index.count, by: Self.windowSize) {
      let window = start..<min(start + Self.windowSize, index.count)
      var lengths: [Int] = []
      try index.forEachEntry(window) { lengths.append($1.tokenCount) }
      for batch in Batches.inOrder(lengths: lengths, tokens: tokensPerBatch) {
        if Interruption.requested { return true }
        let texts = try batch.map { try index.sample(at: start + $0).tokenIDs }
        for (offset, vector) in embedder.vectors(of: texts, arena: arena).enumerated() {
          let row = start + batch.lowerBound + offset
          guard vector.allSatisfy(\.isFinite) else { throw try overflow(of: index, at: row) }
          try writer.append(vector, row: row)
          progress.advance(work: texts[offset].count)
        }
      }
    }
    return false
  }

  private func overflow(of index: SampleIndex, at row: Int) throws -> Diagnostic {
    let (file, line) = try index.place(of: row)
    return .failure(
      "the vector of this row is not finite: the model overflows on it", file: file, line: line,
      remedy: precision == .fp32 ? "use another model" : "use precision fp32")
  }

  private func load(
    index place: IndexPlace
  ) throws -> (embedder: Embedder, samples: IndexedSamples, made: Provenance) {
    let embedder = try Embedder(model, pooling: pooling, normalizes: normalize, precision: precision)
    for notice in embedder.notices { Log.info(notice) }
    let bundle = try TokenizerBundle(directory: embedder.directory)
    var format = format
    format.maximumLength = format.maximumLength ?? embedder.maximumLength
    let source = try SampleSource(
      format, tokenizer: bundle, limits: embedder.limits, ends: [],
      chat: format.chatTemplate(of: bundle.tokenizer, begun: OutputFile.date(of: output)))
    let samples = try source.texts(of: data, index: place)
    try samples.check(embedder.limits, lastIsTarget: false)
    var made = Provenance()
    try made.pin(model: embedder.fingerprint, of: embedder.directory, data: data, bundle, samples.index)
    made.pin("pooling", embedder.pooling.rawValue)
    made.pin("normalize", "\(embedder.normalizes)")
    made.pin("precision", precision.rawValue)
    made.pin(engine: Engine.variant)
    return (embedder, samples, made)
  }
}

// MARK: - As a stage

extension TextEmbedding {
  public static let name = "embed"
  public static let filled = [(key: "output", value: FilledValue.entry("embeddings.safetensors"))]

  public var productIsThere: Bool { File.exists(output) }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("model", model: model)
    try made.pinIfThere("data", rows: data)
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case model, data, output, pooling, normalize, precision
    case tokensPerBatch = "batch_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      model: try keys.decode(.model), data: try keys.decode(.data), format: try RowFormat(from: decoder),
      output: try keys.decode(.output))
    pooling = try keys.decodeIfPresent(Pooling.self, forKey: .pooling)
    normalize = try keys.decodeIfPresent(Bool.self, forKey: .normalize)
    precision = try keys.decode(.precision, default: precision)
    tokensPerBatch = try keys.decode(.tokensPerBatch, default: tokensPerBatch)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(model, forKey: .model)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encode(output, forKey: .output)
    try keys.encodeIfPresent(pooling, forKey: .pooling)
    try keys.encodeIfPresent(normalize, forKey: .normalize)
    try keys.encode(precision, forKey: .precision)
    try keys.encode(tokensPerBatch, forKey: .tokensPerBatch)
  }

  public func validate() throws {
    try format.validate()
    try CodingKeys.tokensPerBatch.checkPositive(tokensPerBatch)
  }
}
