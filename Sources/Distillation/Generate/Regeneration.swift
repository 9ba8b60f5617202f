import Configuration
import Diagnostics
import Evaluation
public import Provenance
import Files
import LogitCache
import Models
import RandomStreams
import Replay
public import Samples
import Sequences
import TeacherSignal
public import Teachers
import Telemetry
public import Tensor
import Tokenizers
import Training

/// Stage three by itself: the student answers every prompt of a file, the teacher scores the answers, and they are
/// published as the next version of a replay store.
public struct Regeneration: Stage {
  /// A model directory or hub id.
  public var student: String
  /// A model, or a server.
  public var teacher: TeacherSource
  /// The files of rows; their responses, where they have any, are ignored.
  public var data: DataFiles
  public var format: RowFormat
  /// Folder of the replay store; made where missing.
  public var replay: String
  public var decoding: DecodingConfiguration
  /// A cache that keeps what the teacher says of answers, and is read before it is asked; made where missing. Nil for none.
  public var cache: String?
  /// Entries kept per position.
  public var topK = 64
  /// Seeds what is drawn.
  public var seed: UInt64 = 1
  /// Of the matrix products of student and teacher.
  public var precision = Precision.fp32
  /// Rows decoded together.
  public var batchSize = 32

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    public var version: Int
    public var samples: Int
    public var generatedTokens: Int
    public var interrupted: Bool
  }

  public init(
    student: String, teacher: TeacherSource, data: DataFiles, format: RowFormat = RowFormat(), replay: String,
    decoding: DecodingConfiguration = DecodingConfiguration()
  ) {
    self.student = student
    self.teacher = teacher
    self.data = data
    self.format = format
    self.replay = replay
    self.decoding = decoding
  }

  /// Publishes one new version; nothing is published where a signal stops it. Where the newest version was made from the
  /// very same by the very same settings, its samples would be the same to the byte: it is the outcome then, so that
  /// running again after a kill at any moment ends in one version.
  ///
  /// - Throws: a `Diagnostic` where student and teacher have different tokenizers, the store was made with another one, or
  ///   a prompt leaves no room.
  public func run() throws -> Outcome {
    try validate()
    EngineAnnouncement.print(precision)
    let (student, teacher, source, samples) = try Interruption.endingAtOnce(load)
    let asked = try cache.map { try keeping(teacher, in: $0) } ?? teacher.teacher
    let prompts = try (0..<samples.count).map { try samples.index.sample(at: $0).tokenIDs }
    try samples.check(teacher.limits, lastIsTarget: false, name: "this prompt")
    try teacher.limits.check(
      answersTo: samples.index.counts.longestPrompt, newTokens: decoding.maximumNewTokens,
      ceiling: student.model.configuration.contextLength)
    let regenerator = Regenerator(
      student: student.model, teacher: asked,
      topK: min(topK, teacher.teacher.identity.vocabularySize), settings: decoding.settings,
      tokenizer: teacher.tokenizer.tokenizer, endOfText: source.endOfText, batchSize: batchSize)
    if let notice = regenerator.vocabulary.notice(student.model.configuration, role: "the student") { Log.info(notice) }
    let origin = regenerator.origin(data: samples.index.fingerprint, seed: seed, step: 0)
    let writer = try ReplayWriter(directory: replay)
    // Before the work, not after it.
    try writer.check(origin)
    if let newest = try writer.store.latest(), newest.origin == origin {
      Log.info("\(replay): version \(newest.number) was made from the very same and is kept")
      return Outcome(
        version: newest.number, samples: newest.sampleCount, generatedTokens: newest.positions, interrupted: false)
    }
    if let memory = try regenerator.memory(prompts: prompts) {
      InferenceForecast(parameters: regenerator.parameterBytes, decoding: memory).announce()
    }
    let progress = Progress("regenerate", total: prompts.count, unit: "rows")
    let answers: [ReplaySample]
    do {
      answers = try regenerator.respond(
        to: prompts, stream: RandomStream(seed: seed, name: "regeneration"), birthStep: 0
      ) {
        progress.advance()
      }
    } catch is Interrupted {
      return Outcome(version: try writer.store.latest()?.number ?? 0, samples: 0, generatedTokens: 0, interrupted: true)
    }
    let version = try writer.publish(origin) { try $0.append(answers) }
    progress.finish()
    let tokens = answers.reduce(0) { $0 + $1.scored.sequence.scoredPositions.count }
    return Outcome(version: version.number, samples: answers.count, generatedTokens: tokens, interrupted: false)
  }

  /// The teacher with a cache before it.
  private func keeping(_ opened: OpenTeacher, in folder: String) throws -> any Teacher {
    let size = opened.teacher.identity.vocabularySize
    let manifest = CacheManifest(opened.teacher, codec: .compact, topK: min(topK, size))
    return CachedThroughTeacher(
      try LogitCacheWriter(directory: folder, manifest: manifest), asking: opened.teacher, vocabulary: size)
  }

  private func load() throws -> (
    student: LoadedModel, teacher: OpenTeacher, source: SampleSource, samples: IndexedSamples
  ) {
    let student = try ModelStore.load(self.student, trainable: false, precision: precision)
    let model = student.model.configuration
    let teacher = try OpenTeacher(
      self.teacher, precision: precision, topK: topK, lowering: true, vocabulary: model.vocabularySize,
      known: cache.flatMap { LogitCache.isThere($0) ? try CacheManifest(directory: $0).origin : nil })
    let bundle = try TokenizerBundle(directory: student.directory)
    try bundle.requireEqual(
      to: teacher.tokenizer.fingerprint, mine: "the student \(self.student)",
      theirs: "the teacher \(self.teacher.place)")
    let chat = try format.chatTemplate(of: teacher.tokenizer.tokenizer) ?? format.chatTemplate(of: bundle.tokenizer)
    try format.tellDifference(of: bundle.tokenizer, from: chat)
    let source = try SampleSource(
      format, tokenizer: bundle, model: model, chat: chat,
      taught: format.endOfText(tokenizer: teacher.tokenizer, ends: teacher.ends).stops)
    return (
      student, teacher, source,
      try source.prompts(of: data, index: .temporary, newTokens: decoding.maximumNewTokens)
    )
  }
}

// MARK: - As a stage

extension Regeneration {
  public static let name = "regenerate"
  public static let filled = [(key: "replay", value: FilledValue.entry("replay")), (key: "seed", value: .seed)]

  public var productIsThere: Bool { ReplayStore.isThere(replay) }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("student", model: student)
    try made.pinIfThere("teacher", teacher)
    try made.pinIfThere("data", rows: data)
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case student, teacher, data, replay, cache, seed, precision
    case topK = "top_k"
    case batchSize = "batch_size"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      student: try keys.decode(.student), teacher: try keys.decode(.teacher), data: try keys.decode(.data),
      format: try RowFormat(from: decoder), replay: try keys.decode(.replay),
      decoding: try DecodingConfiguration(from: decoder))
    cache = try keys.decodeIfPresent(String.self, forKey: .cache)
    topK = try keys.decode(.topK, default: topK)
    seed = try keys.decode(.seed, default: seed)
    batchSize = try keys.decode(.batchSize, default: batchSize)
    precision = try keys.decode(.precision, default: precision)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(student, forKey: .student)
    try keys.encode(teacher, forKey: .teacher)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encode(replay, forKey: .replay)
    try keys.encodeIfPresent(cache, forKey: .cache)
    try keys.encode(topK, forKey: .topK)
    try decoding.encode(to: encoder)
    try keys.encode(seed, forKey: .seed)
    try keys.encode(batchSize, forKey: .batchSize)
    try keys.encode(precision, forKey: .precision)
  }

  public func validate() throws {
    try format.validate()
    try CodingKeys.topK.checkPositive(topK)
    try decoding.validate()
    try CodingKeys.batchSize.checkPositive(batchSize)
  }
}
