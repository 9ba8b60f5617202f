import Diagnostics
import Divergences
import Evaluation
import Fingerprints
import LogitCache
import Models
import NN
import Optimizers
import RandomStreams
import Replay
import Samples
import TeacherSignal
import Telemetry
import Tensor
import Tokenizers

/// What a training run works on: models, tokenizer, samples and cache, loaded and checked against each other.
final class TrainingRun {
  let configuration: TrainingConfiguration
  let student: any CausalLanguageModel
  let teacher: LoadedModel?
  /// Files that travel into every checkpoint, read at the start: the folder they came from may go, or be a checkpoint that
  /// is removed in its turn.
  let companions: [Companion]
  /// What ends a text of this run, and of the student it makes.
  let endOfText: EndOfText
  /// What the tokenizer's files of a checkpoint are to name as the end of a text; nil where they do already.
  let endToken: String?
  let samples: TrainingData
  private let validation: IndexedSamples?
  /// Validation samples that count, from the front.
  private let validationCount: Int
  /// The part of the vocabulary that teacher and student share.
  let vocabulary: Int
  /// What the run is made from, by content.
  let provenance: Provenance
  /// Lines for the log: what was loaded and what was decided.
  private(set) var summary: [String] = []
  private let source: SampleSource
  /// Of the student's tokenizer, and of the samples to train on.
  private let tokenizerFingerprint: Fingerprint
  private let dataFingerprint: Fingerprint
  private let cache: LogitCache?
  /// Of each data set, where there is a cache.
  private let cacheKeys: [SampleKeys]
  private let tokenizer: Tokenizer

  /// - Parameters:
  ///   - student: The checkpoint to go on from; nil makes the student that the configuration asks for.
  ///   - place: Where the indices of the data sets are kept.
  init(_ configuration: TrainingConfiguration, student checkpoint: String?, index place: IndexPlace) throws {
    self.configuration = configuration
    let parts = try TrainingParts(configuration, checkpoint: checkpoint)
    student = parts.student
    teacher = parts.teacher
    tokenizer = parts.tokenizer.tokenizer
    companions = try ModelStore.companionFiles(
      in: parts.tokenizer.directory, base: try checkpoint ?? configuration.student.from.map(ModelStore.resolve)
    ).map(Companion.init)
    let data = configuration.data
    cache = try parts.openCache()
    let source = try SampleSource(
      data.format, tokenizer: parts.tokenizer, model: student.configuration, taught: try parts.taughtEnds(cache))
    self.source = source
    endOfText = source.endOfText
    endToken = endOfText.appended == tokenizer.eosTokenID ? nil : endOfText.appended.flatMap(tokenizer.token)
    student.configuration.name(ends: endOfText.stops)
    let newTokens = configuration.replay?.decoding.maximumNewTokens
    samples = TrainingData(
      try data.train.parts.map { try source.samples(of: $0.path, index: place, newTokens: newTokens) },
      weights: data.train.parts.map(\.weight))
    validation = try data.validation.map { try source.samples(of: $0, index: place) }
    (tokenizerFingerprint, dataFingerprint) = (parts.tokenizer.fingerprint, samples.fingerprint)
    let checks = TrainingChecks(
      configuration: configuration, student: student.configuration, teacher: teacher?.model.configuration,
      isCached: cache != nil)
    try checks.checkSources()
    for set in samples.sets { try checks.check(set) }
    if let validation { try checks.check(validation, trains: false) }
    vocabulary = parts.commonVocabulary(cache)
    cacheKeys = try parts.keys(in: cache, of: samples, endOfText: endOfText)
    student.configuration.suppressedTokenIDs = parts.untaught(beyond: vocabulary)
    var made = try parts.provenance(
      cache: cache, endOfText: endOfText, samples: samples.fingerprint, validation: validation?.index.fingerprint)
    made.pin(Provenance.order, Self.order(samples, configuration).version)
    provenance = made
    validationCount = min(validation?.count ?? 0, configuration.validation.limit ?? .max)
    summary = parts.summary(
      samples: samples.count, validation: validationCount, vocabulary: vocabulary,
      theirs: parts.teacherVocabulary(cache), endOfText: endOfText)
    student.recomputing = configuration.training.recompute
    student.dropout =
      configuration.training.dropout == 0
      ? nil
      : Dropout(
        embedding: configuration.training.dropout, residual: configuration.training.dropout,
        stream: RandomStream(seed: configuration.seed, name: "dropout"))
  }

  var totalSteps: Int { configuration.training.totalSteps(sampleCount: samples.count) }

  /// The teacher to run at every step; nil where signals come from the cache.
  var liveTeacher: (any CausalLanguageModel)? {
    configuration.teacher?.live == true ? teacher?.model : nil
  }

  var learningRateSchedule: LearningRateSchedule {
    let schedule = configuration.training
    return LearningRateSchedule(
      shape: schedule.schedule, peak: Float(schedule.learningRate), warmupSteps: schedule.warmupSteps,
      totalSteps: totalSteps, minimumRatio: Float(schedule.minimumRatio))
  }

  func initialState() -> TrainerState {
    TrainerState(
      sampler: configuration.replay.map { AdaptiveSampler(settings: $0.sampler, seed: configuration.seed) },
      dropout: RandomStream(seed: configuration.seed, name: "dropout"), validationDue: true)
  }

  /// What the state of a checkpoint of this run is checked against.
  var bounds: TrainerState.Bounds {
    TrainerState.Bounds(totalSteps: totalSteps, initial: initialState(), hasDropout: student.dropout != nil)
  }

  /// The order in which the samples are visited.
  var order: DataOrder { Self.order(samples, configuration) }

  private static func order(_ samples: TrainingData, _ configuration: TrainingConfiguration) -> DataOrder {
    DataOrder(
      counts: samples.sets.map(\.count), weights: samples.weights, batchSize: configuration.training.batchSize,
      seed: configuration.seed)
  }

  /// Lets the indices of the data sets stay where they are.
  func keepIndices() { for set in samples.sets + [validation].compactMap(\.self) { set.folder.keep() } }

  /// A sample of the fixed data with its cached signal.
  func example(_ number: Int) throws -> TrainingExample {
    // Looked up for a message alone.
    let name = { @Sendable [samples] in (try? samples.name(number)) ?? "sample \(number)" }
    guard let cache else {
      return TrainingExample(
        sequence: try samples.sample(number).sequence, signal: nil, isStudentOutput: false, name: name())
    }
    let place = samples.place(of: number)
    guard let scored = try cache.sample(cacheKeys[place.set].key(place.number)) else {
      throw Diagnostic.failure("the record of \(name()) has gone from the cache", remedy: "run precompute again")
    }
    try Self.check(scored.signal, vocabulary: vocabulary, name: name())
    return TrainingExample(
      sequence: scored.trainedSequence, signal: scored.signal, isStudentOutput: false, name: name())
  }

  /// Refuses a signal that cannot be compared with, or with an id that the student does not have; a teacher's padding should
  /// never be among its top-k.
  private static func check(
    _ signal: SparseSignal, vocabulary: Int, name: @autoclosure () -> String
  ) throws {
    guard signal.kind.isRanked else {
      throw Diagnostic.input(
        "the cached signal of \(name()) is of kind \(signal.kind.rawValue), which no objective takes",
        field: "teacher.cache", remedy: "train from a cache of top-k signals")
    }
    guard let id = signal.ids.first(where: { $0 >= vocabulary }) else { return }
    throw Diagnostic.input(
      "the cached signal of \(name()) has the token \(id), beyond the common vocabulary of \(vocabulary)",
      remedy: "run precompute with `vocabulary` \(vocabulary) into another folder")
  }

  /// The prompt of a sample, for a fresh response.
  func prompt(_ index: Int) throws -> [Int32] {
    try source.prompt(of: samples.sample(index), newTokens: configuration.replay?.decoding.maximumNewTokens ?? 1)
  }

  /// Mean cross-entropy per scored position of the validation rows; nil without any.
  ///
  /// - Parameter tokensPerBatch: Decides time and memory, and no bit of the loss.
  /// - Throws: `Interrupted` where a signal asks to stop.
  func validationLoss(tokensPerBatch: Int, in arena: Arena) throws -> Double? {
    guard let validation, validationCount > 0 else { return nil }
    return try Evaluator(model: student, tokensPerBatch: tokensPerBatch, arena: arena)
      .evaluate(count: validationCount, onProgress: { _ in try Interruption.check() }) {
        try validation.index.sample(at: $0).sequence
      }.nll
  }

  /// Stage three for this run; nil where the configuration has no replay.
  func studentOutputs(folder: RunFolder, resumingAfter version: Int) throws -> StudentOutputs? {
    guard let replay = configuration.replay, let teacher else { return nil }
    let topK = configuration.teacher?.topK ?? cache?.manifest.topK ?? 64
    let scorer = try TeacherScorer(teacher: teacher.model, topK: min(topK, vocabulary), vocabulary: vocabulary)
    let regenerator = Regenerator(
      student: student, scorer: scorer, settings: replay.decoding.settings, tokenizer: tokenizer,
      endOfText: endOfText, slots: configuration.training.batchSize,
      scoringTokens: configuration.training.microBatchTokens)
    return try StudentOutputs(
      regenerator: regenerator, directory: folder.replay,
      origin: .init(
        teacher: teacher.fingerprint, tokenizer: tokenizerFingerprint, data: dataFingerprint, seed: configuration.seed),
      resumingAfter: version)
  }
}
