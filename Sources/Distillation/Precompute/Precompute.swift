import Configuration
import Diagnostics
public import Provenance
import Files
import Fingerprints
import JSON
import LogitCache
public import Samples
import Sequences
import Synchronization
public import Teachers
import Tokenizers
public import TeacherSignal
public import Tensor
import Telemetry
import Training
import Threads

/// Stage one: runs the teacher once over a data set and caches what it thinks of every response token.
///
/// Run again it goes on where it stopped: each batch's records and the progress are one transaction, and the batches are
/// planned from the data set alone, so an interrupted run computes the same bytes as an uninterrupted one. A batch is
/// encoded and written by a thread of its own while the teacher computes the next one.
public struct Precompute: Stage {
  /// A model, or a server.
  public var teacher: TeacherSource
  /// The files of rows.
  public var data: DataFiles
  public var format: RowFormat
  /// Folder of the cache; made where missing.
  public var cache: String
  /// Entries kept per position.
  public var topK = 64
  public var codec = SignalCodec.compact
  /// What is kept of each position beside the log-probs; of a teacher that runs here alone.
  public var columns = ColumnSettings()
  /// Only the first so many vocabulary entries count, for a student whose vocabulary is padded less; all where nil.
  public var vocabulary: Int?
  /// Mixtures of the samples that the teacher is asked about too; nil for none.
  public var mixtures: MixtureConfiguration?
  /// Twins of the samples that the teacher is asked about too; nil for none.
  public var twins: TwinConfiguration?
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

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    public var samples: Int
    /// Mixtures and twins of them.
    public var forms: Int
    /// What this run computed of both; the others were there.
    public var computed: Int
    /// Of what this run computed.
    public var scoredPositions: Int
    public var seconds: Double
    public var interrupted: Bool
    /// What became of the rows.
    public var account: RowAccount
  }

  public init(teacher: TeacherSource, data: DataFiles, format: RowFormat = RowFormat(), cache: String) {
    self.teacher = teacher
    self.data = data
    self.format = format
    self.cache = cache
  }

  /// What ``run()`` would do, without running the teacher or writing anything.
  ///
  /// - Throws: a `Diagnostic` as ``run()`` does for its input.
  public func forecast() throws -> Forecast {
    try validate()
    return try Interruption.endingAtOnce {
      // Nothing is written beside the cache.
      let work = try prepare(index: .temporary)
      let existing = LogitCache.isThere(cache) ? try LogitCache(directory: cache) : nil
      try existing?.manifest.check(wanted: work.manifest, directory: cache)
      let index = work.samples.index
      let keys = try existing.map { try SampleKeys(index, in: $0) } ?? SampleKeys(index, in: work.manifest)
      var forecast = Forecast(
        samples: index.count, tokens: 0, scoredPositions: 0, present: 0, bytes: 0, account: work.samples.account)
      try keys.forEach { _, entry, key in
        guard try existing?.contains(key) != true else { return forecast.present += 1 }
        forecast.tokens += entry.tokenCount
        forecast.scoredPositions += entry.scoredCount
      }
      let perPosition =
        codec.bytesPerPosition(entries: topK, vocabularySize: work.manifest.vocabularySize)
        + work.manifest.columnDeclarations.reduce(0) { $0 + $1.bytes }
      // A mixture is about as long as its sample, and a twin as long.
      let records = 1 + formsPerSample
      forecast.bytes = records * (4 * forecast.tokens + forecast.scoredPositions * perPosition)
      return forecast
    }
  }

  /// Computes what is missing.
  ///
  /// - Throws: a `Diagnostic` where the cache was made by another teacher, tokenizer or codec, another process writes to
  ///   it, rows do not fit, or the disk is full.
  public func run() throws -> Outcome {
    let start = ContinuousClock.now
    try validate()
    EngineAnnouncement.print(precision)
    let work = try Interruption.endingAtOnce { try prepare(index: .inside(cache)) }
    let samples = work.samples.index
    let writer = try LogitCacheWriter(directory: cache, manifest: work.manifest)
    work.samples.folder.keep()
    try writer.announceKernels()
    // By the cache's own manifest: other kernels may have begun it.
    let keys = try writer.planned(samples)
    let left = try Interruption.endingAtOnce {
      try count(windows: Self.windows(samples.count)) { try missing($0, samples, keys, writer.cache) }
    }
    if left < samples.count {
      Log.info("\(cache): \(samples.count - left) of \(samples.count) samples are there already")
    }
    let pools = pools(work, in: writer.cache)
    let formsLeft = try Interruption.endingAtOnce { try self.left(of: pools, samples.count) }
    let total = samples.count * (1 + formsPerSample)
    let progress = Progress(
      "precompute", total: total, unit: "samples", rateUnit: "tokens", done: total - left - formsLeft)
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
      do {
        try ask(work, keys, about: samples, in: writer.cache, stage)
        for pool in pools { try ask(about: pool, samples.count) { try stage.submit($0) } }
        return false
      } catch is Interrupted { return true }
    }
    progress.finish()
    let totals = written.withLock(\.self)
    return Outcome(
      samples: samples.count, forms: samples.count * formsPerSample, computed: totals.computed,
      scoredPositions: totals.scoredPositions, seconds: (ContinuousClock.now - start) / .seconds(1),
      interrupted: interrupted, account: work.samples.account)
  }

  /// Has the teacher asked about every sample that the cache lacks, and hands what it says to the stage that keeps it.
  ///
  /// - Throws: `Interrupted` once a signal has come.
  private func ask(
    _ work: Work, _ keys: SampleKeys, about samples: SampleIndex, in cache: LogitCache,
    _ stage: BackgroundStage<[ScoredSample]>
  ) throws {
    var ahead = AskedAhead(work.teacher)
    for window in Self.windows(samples.count) {
      for batch in try missing(window, samples, keys, cache) {
        try Interruption.check()
        try ahead.ask(batch.map(work.samples.asked))
        while let answered = try ahead.nextInTurn() { try stage.submit(answered) }
      }
    }
    while let answered = try ahead.next() { try stage.submit(answered) }
  }

  // MARK: Pools

  /// Other forms of the samples that are to be there.
  private func pools(_ work: Work, in cache: LogitCache) -> [any SamplePool] {
    let samples = work.samples
    var pools: [any SamplePool] = []
    if let mixtures, let teacher = work.teacher as? any MixtureTeacher {
      pools.append(MixturePool(samples: samples, plan: mixtures.plan, cache: cache, teacher: teacher))
    }
    if let twins { pools.append(TwinPool(samples: samples, plan: twins.plan, cache: cache, teacher: work.teacher)) }
    return pools
  }

  /// Forms of samples that the cache lacks, with those that are computed together with them.
  private func left(of pools: [any SamplePool], _ count: Int) throws -> Int {
    try pools.reduce(0) { sum, pool in
      try Self.windows(count).reduce(sum) { sum, window in
        try sum + pool.forms(of: window).missing(tokens: tokensPerBatch).reduce(0) { $0 + $1.count }
      }
    }
  }

  /// As ``ask(_:_:about:in:_:)``, about every form of a sample that the cache lacks.
  private func ask(about pool: any SamplePool, _ count: Int, _ submit: (_ batch: [ScoredSample]) throws -> Void) throws
  {
    for window in Self.windows(count) {
      let forms = try pool.forms(of: window)
      for batch in forms.missing(tokens: tokensPerBatch) {
        try Interruption.check()
        try submit(forms.ask(batch))
      }
    }
  }

  /// Refuses mixtures where nobody can be asked about them, or that the cache has no names for.
  private func checkMixtures(_ teacher: any Teacher, _ found: CacheManifest?) throws {
    guard mixtures != nil else { return }
    guard teacher is any MixtureTeacher else {
      throw Diagnostic.input(
        "the teacher is a server, which is not given the embeddings of mixtures", field: "mixtures",
        remedy: "name the model itself as the teacher, or leave mixtures out")
    }
    guard let found, found.formatVersion == 1 else { return }
    throw Diagnostic.input(
      "the cache is of version 1, which has no names for mixtures", file: cache, field: "mixtures",
      remedy: "run decant cache upgrade on it first")
  }

  // MARK: Windows

  /// Batches are planned for so many samples at a time, longest first, whatever has been done: so that a resumed run meets
  /// the same batches, and a data set of any size takes the same memory.
  private static let windowSize = 1 << 14

  private static func windows(_ count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: windowSize).map { $0..<min($0 + windowSize, count) }
  }

  /// The batches of a window that have a sample which the cache lacks.
  private func missing(
    _ window: Range<Int>, _ samples: SampleIndex, _ keys: SampleKeys, _ cache: LogitCache
  ) throws -> [[Int]] {
    var lengths: [Int] = [], isThere: [Bool] = []
    try keys.forEach(window) { _, entry, key in
      lengths.append(entry.tokenCount)
      isThere.append(try cache.contains(key))
    }
    if isThere.allSatisfy({ $0 }) { return [] }
    return Batches.byLength(lengths, tokens: tokensPerBatch).filter { !$0.allSatisfy { isThere[$0] } }
      .map { batch in batch.map { window.lowerBound + $0 } }
  }

  private var formsPerSample: Int { (mixtures?.perSample ?? 0) + (twins?.perSample ?? 0) }

  private func count(windows: [Range<Int>], _ batches: (Range<Int>) throws -> [[Int]]) rethrows -> Int {
    try windows.reduce(0) { sum, window in try sum + batches(window).reduce(0) { $0 + $1.count } }
  }

  /// What both verbs start from: the teacher, the samples and what makes their names in the cache.
  private struct Work {
    var teacher: any Teacher
    var manifest: CacheManifest
    var samples: IndexedSamples
  }

  private func prepare(index place: IndexPlace) throws -> Work {
    let found = LogitCache.isThere(cache) ? try CacheManifest(directory: cache) : nil
    let opened = try OpenTeacher(
      teacher, precision: precision, topK: topK, vocabulary: vocabulary, known: found?.origin, columns: columns)
    let size = opened.teacher.identity.vocabularySize
    let source = try SampleSource(
      format, tokenizer: opened.tokenizer, limits: opened.limits, ends: opened.ends,
      chat: format.chatTemplate(of: opened.tokenizer.tokenizer, begun: found?.chat?["date"]?.stringValue))
    try checkMixtures(opened.teacher, found)
    var manifest = CacheManifest(opened.teacher, codec: codec, topK: topK)
    (manifest.mixtures, manifest.twins) = (mixtures?.plan.record, twins?.plan.record)
    // Before the rows are read, which may take long. Whether they fit the vocabulary that was asked for is their own affair.
    if let found {
      var wanted = manifest
      wanted.vocabularySize = found.vocabularySize
      try found.check(wanted: wanted, directory: cache)
    }
    let samples = try source.samples(of: data, index: place)
    try samples.check(opened.limits, lastIsTarget: true)
    try samples.check(targetsBelow: size, tokenizer: opened.tokenizer)
    if samples.index.counts.responses > 0 { manifest.endOfText = source.endOfText.appended }
    manifest.chat = samples.index.chat?.record
    return Work(teacher: opened.teacher, manifest: manifest, samples: samples)
  }
}

// MARK: - As a stage

extension Precompute {
  public static let name = "precompute"
  public static let filled = [(key: "cache", value: FilledValue.entry("cache"))]

  public var productIsThere: Bool { LogitCache.isThere(cache) }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("teacher", teacher)
    try made.pinIfThere("data", rows: data)
    if let reference = columns.anomaly { try made.pinIfThere("columns.anomaly", model: reference) }
    if let mask = columns.features { try made.pinIfThere("columns.features", rows: DataFiles(mask)) }
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case teacher, data, cache, codec, columns, vocabulary, mixtures, twins, precision
    case topK = "top_k"
    case tokensPerBatch = "batch_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      teacher: try keys.decode(.teacher), data: try keys.decode(.data), format: try RowFormat(from: decoder),
      cache: try keys.decode(.cache))
    topK = try keys.decode(.topK, default: topK)
    codec = try keys.decode(.codec, default: codec)
    columns = try keys.decode(.columns, default: columns)
    vocabulary = try keys.decodeIfPresent(Int.self, forKey: .vocabulary)
    mixtures = try keys.decodeIfPresent(MixtureConfiguration.self, forKey: .mixtures)
    twins = try keys.decodeIfPresent(TwinConfiguration.self, forKey: .twins)
    precision = try keys.decode(.precision, default: precision)
    tokensPerBatch = try keys.decode(.tokensPerBatch, default: tokensPerBatch)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(teacher, forKey: .teacher)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encode(cache, forKey: .cache)
    try keys.encode(topK, forKey: .topK)
    try keys.encode(codec, forKey: .codec)
    // Left out where it says nothing: earlier versions have not known it.
    if !columns.isEmpty { try keys.encode(columns, forKey: .columns) }
    try keys.encodeIfPresent(vocabulary, forKey: .vocabulary)
    try keys.encodeIfPresent(mixtures, forKey: .mixtures)
    try keys.encodeIfPresent(twins, forKey: .twins)
    try keys.encode(precision, forKey: .precision)
    try keys.encode(tokensPerBatch, forKey: .tokensPerBatch)
  }

  public func validate() throws {
    try format.validate()
    try CodingKeys.topK.checkPositive(topK)
    try CodingKeys.vocabulary.check(vocabulary, in: 2...Limits.count)
    if let mixtures { try CodingKeys.mixtures.within(mixtures.validate) }
    if let twins { try CodingKeys.twins.within(twins.validate) }
    try CodingKeys.tokensPerBatch.checkPositive(tokensPerBatch)
  }
}
