import Diagnostics
import Evaluation
import Files
import Fingerprints
import LogitCache
import Models
public import Samples
import Sequences
import Synchronization
import Tokenizers
public import TeacherSignal
public import Tensor
import Telemetry

/// Stage one: runs the teacher once over a data set and caches what it thinks of every response token.
///
/// Run again it goes on where it stopped: each batch's records and the progress are one transaction, and the batches are
/// planned from the whole data set, so an interrupted run computes the same bytes as an uninterrupted one. A batch is
/// encoded and written by a thread of its own while the teacher computes the next one.
public struct Precompute: Sendable {
  /// A model directory or hub id.
  public var teacher: String
  /// The file of rows.
  public var data: String
  public var format: RowFormat
  /// Folder of the cache; made where missing.
  public var cache: String
  /// Entries kept per position.
  public var topK = 64
  public var codec = SignalCodec.compact
  /// Only the first so many vocabulary entries count, for a student whose vocabulary is padded less; all where nil.
  public var vocabulary: Int?
  /// Of the teacher's matrix products; samples scored in one are not those scored in the other.
  public var precision = Precision.fp32
  /// Tokens computed together.
  public var tokensPerBatch = 4096

  /// What a run would do.
  public struct Forecast: Sendable, Equatable {
    public var samples: Int
    public var tokens: Int
    public var scoredPositions: Int
    /// Samples that the cache holds already.
    public var present: Int
    /// About the records' size on disk, bytes.
    public var bytes: Int
    /// What became of the rows.
    public var account: RowAccount
  }

  public struct Outcome: Sendable, Equatable {
    public var samples: Int
    /// Samples that this run computed; the others were there.
    public var computed: Int
    public var scoredPositions: Int
    public var seconds: Double
    public var interrupted: Bool
    /// What became of the rows.
    public var account: RowAccount
  }

  public init(teacher: String, data: String, format: RowFormat, cache: String) {
    self.teacher = teacher
    self.data = data
    self.format = format
    self.cache = cache
  }

  /// What ``run()`` would do, without running the teacher or writing anything.
  ///
  /// - Throws: a `Diagnostic` as ``run()`` does for its input.
  public func forecast() throws -> Forecast {
    try Interruption.endingAtOnce {
      let work = try prepare()
      let existing = File.exists("\(cache)/manifest.json") ? try LogitCache(directory: cache) : nil
      try existing?.manifest.check(wanted: work.manifest, directory: cache)
      let missing = try work.samples.indices.filter { index in
        try existing.map { try !$0.contains($0.manifest.key(work.samples[index].sequence)) } ?? true
      }
      let positions = missing.reduce(0) { $0 + work.samples[$1].scoredPositions.count }
      let tokens = missing.reduce(0) { $0 + work.samples[$1].tokenIDs.count }
      return Forecast(
        samples: work.samples.count, tokens: tokens, scoredPositions: positions,
        present: work.samples.count - missing.count,
        bytes: 4 * tokens + positions
          * codec.bytesPerPosition(entries: topK, vocabularySize: work.manifest.vocabularySize),
        account: work.account)
    }
  }

  /// Computes what is missing.
  ///
  /// - Throws: a `Diagnostic` where the cache was made by another teacher, tokenizer or codec, another process writes to
  ///   it, rows do not fit, or the disk is full.
  public func run() throws -> Outcome {
    let start = ContinuousClock.now
    EngineAnnouncement.print(precision)
    let work = try Interruption.endingAtOnce(prepare)
    let scorer = try TeacherScorer(
      teacher: work.teacher.model, topK: work.manifest.topK, vocabulary: work.manifest.vocabularySize)
    let writer = try LogitCacheWriter(directory: cache, manifest: work.manifest)
    // By the cache's own manifest: other kernels may have begun it.
    let keys = work.samples.map { writer.manifest.key($0.sequence) }
    if writer.manifest.formatVersion == 1, try writer.cache.count > 0 {
      Log.warning(
        "\(cache): its format, version 1, does not say which kernels made a sample, and it may have been begun with others "
          + "than \(Engine.variant); decant cache upgrade gives it one that does")
    }
    if writer.kernels > 0 {
      Log.warning(
        "\(cache): begun with \(writer.manifest.kernels[0]), gone on with \(Engine.variant): these round differently; "
          + "each sample says which of them made it")
    }
    try writer.setPlan(keys, of: work.dataset)
    let batches = Batches.byLength(work.samples.map(\.tokenIDs.count), tokens: tokensPerBatch)
    let missing = try Interruption.endingAtOnce {
      try batches.filter { try !$0.allSatisfy { try writer.cache.contains(keys[$0]) } }
    }
    let left = missing.reduce(0) { $0 + $1.count }
    if left < work.samples.count {
      Log.info("\(cache): \(work.samples.count - left) of \(work.samples.count) samples are there already")
    }
    let progress = Progress(
      "precompute", total: work.samples.count, unit: "samples", rateUnit: "tokens", done: work.samples.count - left)
    let written = Mutex((computed: 0, scoredPositions: 0))
    // A batch is encoded and made durable while the teacher computes the next one. It counts once it is committed.
    let interrupted = try BackgroundStage.running({ (batch: [ScoredSample]) in
      let computed = try writer.append(batch)
      written.withLock { totals in
        totals.computed += computed
        totals.scoredPositions += batch.reduce(0) { $0 + $1.signal.positionCount }
      }
      progress.advance(by: batch.count, work: batch.reduce(0) { $0 + $1.sequence.count })
    }) { stage in
      for batch in missing {
        if Interruption.requested { return true }
        try stage.submit(scorer.score(batch.map { work.samples[$0].sequence }))
      }
      return false
    }
    progress.finish()
    let totals = written.withLock(\.self)
    return Outcome(
      samples: work.samples.count, computed: totals.computed, scoredPositions: totals.scoredPositions,
      seconds: (ContinuousClock.now - start) / .seconds(1), interrupted: interrupted, account: work.account)
  }

  /// What both verbs start from: the teacher, the samples and what they are called in the cache.
  private struct Work {
    var teacher: LoadedModel
    var manifest: CacheManifest
    var dataset: Fingerprint
    var samples: [Sample]
    var account: RowAccount
  }

  private func prepare() throws -> Work {
    let loaded = try ModelStore.load(teacher, trainable: false, precision: precision)
    let model = loaded.model.configuration
    let bundle = try TokenizerBundle(directory: loaded.directory)
    let source = try SampleSource(format, tokenizer: bundle, model: model)
    let (set, account) = try source.samples(of: data)
    try SequenceLimits(model, role: "the teacher").check(set.samples, of: data, lastIsTarget: true)
    let size = min(vocabulary ?? model.vocabularySize, model.vocabularySize)
    guard (1...size).contains(topK) else {
      throw Diagnostic.input(
        "top-k of \(topK) does not fit a vocabulary of \(size)", field: "--top-k",
        remedy: "choose one between 1 and \(size)")
    }
    for sample in set.samples {
      guard let id = sample.scoredPositions.lazy.map({ sample.tokenIDs[$0 + 1] }).first(where: { $0 >= size }) else {
        continue
      }
      throw Diagnostic.input(
        "token \(id) of the response lies beyond the first \(size) vocabulary entries, which alone count", file: data,
        line: sample.line, field: "--vocabulary",
        remedy: "let at least the tokenizer's \(bundle.tokenizer.vocabularySize) count")
    }
    let manifest = CacheManifest(
      teacher: loaded.fingerprint, teacherPath: loaded.directory, precision: precision.rawValue,
      kernels: Engine.variant, tokenizer: bundle.fingerprint, codec: codec, topK: topK, vocabularySize: size,
      endOfText: set.samples.contains(where: \.hasResponse) ? source.endOfText.appended : nil)
    return Work(
      teacher: loaded, manifest: manifest, dataset: set.fingerprint, samples: set.samples, account: account)
  }
}
