import Diagnostics
import Files
public import Fingerprints
import JSON
public import LogitCache
import Sequences
public import TeacherSignal
import Threads

/// Brings what another tool says of a teacher into a cache, sample by sample, so that it can be trained from like any other.
///
/// Run again it goes on: samples are known by their content, and what is there is passed over. Each batch is one transaction;
/// reading and keeping overlap. Nothing is written before some thousand positions have been found to lie where they should.
public struct CacheImport: Sendable {
  /// What is read.
  public enum Format: String, Sendable, CaseIterable {
    /// vLLM's answers, one a line, beside `token_ids`.
    case vllm
    /// SGLang's.
    case sglang
    /// A file of logits of `llama-perplexity --kl-divergence-base`, or the pipe that it writes to.
    case llamaCpp = "llama-cpp"
    /// Rows of NeMo-Aligner's `compute_topk_logits.py`.
    case nemo
    /// The uncompressed columns that DistillKit trains from, as ``DistillKitRows`` writes them.
    case distillkit
    /// The column of axolotl's offline distillation, v1 or v2, as ``AxolotlRows`` writes it. Needs a ``CacheImport/shift``.
    case axolotl
  }

  /// What was read.
  public struct Outcome: Sendable, Equatable {
    public var samples = 0
    public var positions = 0
    /// Samples that were not there before; the others were, or came twice.
    public var added = 0
    /// Whether the tokens that follow are among the ids, here and one place off.
    public var shifts = ShiftGuard()
  }

  /// A file, a named pipe, or `-` for standard input.
  public var source: String
  public var format: Format
  /// Folder of the cache; made where missing.
  public var cache: String
  /// What the teacher is called: it and the tokenizer tell one from another.
  public var teacherName: String
  public var tokenizer: Fingerprint
  /// Ids that the distributions are over.
  public var vocabularySize: Int
  /// The id that begins each text of the tokenizer; nil where none does.
  public var beginOfText: Int32?
  /// Entries kept of each position.
  public var topK = 64
  public var codec = SignalCodec.compact
  /// At which place an entry of ``Format/axolotl`` stands.
  public var shift: AxolotlRows.Shift?

  public init(
    _ source: String, format: Format, cache: String, teacherName: String, tokenizer: Fingerprint, vocabularySize: Int
  ) {
    self.source = source
    self.format = format
    self.cache = cache
    self.teacherName = teacherName
    self.tokenizer = tokenizer
    self.vocabularySize = vocabularySize
  }

  /// Positions that are kept together, and looked at before anything is written.
  private static let batch = 8192

  /// Reads all of it.
  ///
  /// - Parameters:
  ///   - check: Called between samples, and while a pipe is waited for; what it throws ends the work. What was kept stays.
  ///   - onBatch: Is told, on another thread, the samples and positions of each batch that has been kept.
  /// - Throws: a `Diagnostic` with file, line and field for what is no such file, of another tokenizer, shifted or cut short; what
  ///   was whole before it, in batches, is kept, but for a shifted one.
  public func run(
    check: @escaping () throws -> Void = {},
    onBatch: @escaping @Sendable (_ samples: Int, _ positions: Int) -> Void = { _, _ in }
  ) throws -> Outcome {
    let input = try StreamedFile(source, check: check)
    let source = try source(input)
    if let size = source.vocabularySize, size != vocabularySize {
      throw Diagnostic.input(
        "is of \(size) ids, the tokenizer has \(vocabularySize)", file: input.path, field: "vocabulary",
        remedy: "give the tokenizer of the model that it was made with; where the model is padded, --vocabulary \(size)"
      )
    }
    return try Self.keep(
      source, in: LogitCacheWriter(directory: cache, manifest: manifest), file: input.path, check, onBatch)
  }

  /// Keeps all that a source has.
  static func keep(
    _ source: any SignalSource, in writer: LogitCacheWriter, file: String, _ check: () throws -> Void,
    _ onBatch: @escaping @Sendable (_ samples: Int, _ positions: Int) -> Void
  ) throws -> Outcome {
    var outcome = Outcome()
    let added = Monitor(0)
    try BackgroundStage.running({ (batch: [ScoredSample]) in
      let new = try writer.append(batch)
      added.when({ _ in true }) { $0 += new }
      onBatch(batch.count, batch.reduce(0) { $0 + $1.signal.positionCount })
    }) { stage in
      var batch: [ScoredSample] = [], positions = 0
      func hand() throws {
        try outcome.shifts.check(file: file)
        if !batch.isEmpty { try stage.submit(batch) }
        (batch, positions) = ([], 0)
      }
      do {
        while let sample = try source.next() {
          try check()
          outcome.shifts.add(sample.signal, of: sample.sequence, positions: sample.positions)
          outcome.samples += 1
          outcome.positions += sample.signal.positionCount
          batch.append(sample)
          positions += sample.signal.positionCount
          if positions >= Self.batch { try hand() }
        }
      } catch {
        // What was whole before it is kept.
        try hand()
        throw error
      }
      try hand()
    }
    guard outcome.samples > 0 else {
      throw Diagnostic.input("holds no sample", file: file, remedy: "check that it is the right file")
    }
    outcome.added = added.when({ _ in true }, { $0 })
    return outcome
  }

  private func source(_ input: StreamedFile) throws -> any SignalSource {
    let topK = topK, vocabularySize = vocabularySize
    func lines(_ reader: @escaping @Sendable () -> any LineReader) throws -> any SignalSource {
      try SampleLines(input, reader)
    }
    switch format {
    case .vllm: return try lines { AnswerLine(AnswerReader(.vllm, topK: topK, vocabularySize: vocabularySize)) }
    case .sglang: return try lines { AnswerLine(AnswerReader(.sglang, topK: topK, vocabularySize: vocabularySize)) }
    case .nemo: return try lines { NeMoRow(topK: topK, vocabularySize: vocabularySize) }
    case .distillkit: return try lines { ColumnRow(.distillKit, topK: topK, vocabularySize: vocabularySize) }
    case .axolotl:
      guard let shift else {
        throw Diagnostic.input(
          "is missing: axolotl's rows do not say at which place an entry stands", field: "shift",
          remedy: "give 0 or 1: docs/formats.md says which of axolotl's readers has which")
      }
      return try lines { ColumnRow(.axolotl(shift), topK: topK, vocabularySize: vocabularySize) }
    case .llamaCpp: return try LlamaLogits(input, topK: topK, begin: beginOfText)
    }
  }

  /// What the cache says of its signals: the name stands for a model that nobody here has seen.
  public var manifest: CacheManifest {
    var manifest = CacheManifest(
      teacher: Fingerprint(of: "imported\n\(format.rawValue)\n\(teacherName)\n\(vocabularySize)\n"),
      teacherPath: teacherName, precision: "imported", kernels: format.rawValue, tokenizer: tokenizer, codec: codec,
      topK: min(topK, vocabularySize), vocabularySize: vocabularySize)
    manifest.origin = [
      "kind": "imported", "format": .string(format.rawValue), "name": .string(teacherName),
      "tail": format == .llamaCpp ? "to 16 nats" : "derived",
    ]
    return manifest
  }
}
