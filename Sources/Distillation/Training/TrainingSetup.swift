import Diagnostics
import Evaluation
import Fingerprints
import Generation
import Methods
import Models
import NN
import Provenance
import RandomStreams
import Samples
import Sequences
import Teachers
import Telemetry
import Tensor
import Tokenizers
import Training

/// What a training run works on: models, tokenizer, samples and teachers, loaded and checked against each other before the
/// first step.
final class TrainingSetup {
  let configuration: TrainingConfiguration
  let parts: TrainingParts
  private let method: any Method
  /// Files that travel into every checkpoint, read at the start: the folder they came from may go, or be a checkpoint that
  /// is removed in its turn.
  private let companions: [Companion]
  let source: SampleSource
  let samples: TrainingData
  private let validation: IndexedSamples?
  /// The part of the vocabulary that teacher and student share.
  let vocabulary: Int
  /// What the run is made from, by content.
  let provenance: Provenance

  var student: any CausalLanguageModel { parts.student }

  /// - Parameters:
  ///   - student: The checkpoint to go on from; nil makes the student that the configuration asks for.
  ///   - place: Where the indices of the data sets are kept.
  ///   - begun: The date that the run was begun with, where its chat template asks for one.
  init(
    _ configuration: TrainingConfiguration, student checkpoint: String?, index place: IndexPlace, begun: String? = nil
  ) throws {
    self.configuration = configuration
    parts = try TrainingParts(configuration, checkpoint: checkpoint)
    try parts.teachers.checkColumns()
    let student = parts.student
    let files = try ModelStore.companions(
      in: parts.tokenizer.directory, base: try checkpoint ?? configuration.student.from.map(ModelStore.resolve))
    let data = configuration.data
    let chat = try parts.chatTemplate(begun: begun)
    try data.format.tellDifference(of: parts.tokenizer.tokenizer, from: chat)
    let source = try SampleSource(
      data.format, tokenizer: parts.tokenizer, model: student.configuration, chat: chat,
      taught: try parts.teachers.taughtEnds())
    self.source = source
    for model in [student, parts.partner].compactMap(\.self) { model.configuration.name(ends: source.endOfText.stops) }
    let newTokens = configuration.outputs?.lengths.most
    samples = TrainingData(
      try data.train.parts.map { try source.samples(of: $0.path, index: place, newTokens: newTokens) },
      weights: data.train.parts.map(\.weight))
    validation = try data.validation.map { try source.samples(of: $0, index: place) }
    // The student is to be asked in the words that it was taught in.
    let used = (samples.sets.map(\.index) + [validation?.index].compactMap(\.self)).compactMap(\.chat).first
    companions = Self.companions(files, of: parts.tokenizer.tokenizer, taughtWith: used)
    let checks = TrainingChecks(
      configuration: configuration, student: student.configuration, partner: parts.partner?.configuration,
      teacher: try parts.teachers.limits(), isAskedAlways: parts.teachers.isAskedAlways,
      isWhole: parts.teachers.isLive, teacherWidth: parts.teachers.loaded?.model.configuration.hiddenSize,
      teachesData: parts.teachers.teachesData)
    try checks.checkSources()
    for set in samples.sets { try checks.check(set) }
    if let validation { try checks.check(validation, trains: false) }
    vocabulary = try parts.commonVocabulary()
    try parts.teachers.check(samples, endOfText: source.endOfText, chat: used, tokenizer: parts.tokenizer)
    if let path = configuration.objective.settings.writtenByTeacher { try parts.teachers.check(writing: path) }
    student.configuration.suppressedTokenIDs = parts.untaught(beyond: vocabulary)
    parts.partner?.configuration.suppressedTokenIDs = student.configuration.suppressedTokenIDs
    var made = try parts.provenance(
      endOfText: source.endOfText, samples: samples.fingerprint, validation: validation?.index.fingerprint)
    if let used { made.pin(chat: used) }
    made.pin(Provenance.order, Self.order(samples, configuration).version)
    provenance = made
    for model in [student, parts.partner].compactMap(\.self) {
      model.recomputing = configuration.training.recompute
      // Each has masks of its own, and those that it would have in a run of its own.
      model.dropout = Self.dropout(configuration)
    }
    let settings = configuration.objective.settings
    method = settings.method(
      of: MethodParts(
        student, vocabulary: vocabulary, seed: configuration.seed, partner: parts.partner,
        columns: try parts.teachers.columns(),
        teacherHead: try settings.needsTeacherHead ? parts.teachers.head(vocabulary: vocabulary) : nil))
    // A run that goes on has them in its checkpoint.
    if checkpoint == nil { try setBounds(of: method) }
  }

  /// The files that travel with the student, with the chat template that it was taught with in the place of another one.
  private static func companions(
    _ files: [Companion], of tokenizer: Tokenizer, taughtWith chat: ChatTemplate?
  ) -> [Companion] {
    let own = tokenizer.chatTemplates.first { $0.name == "default" }?.text
    guard let chat, chat.text != own else { return files }
    let name = "chat_template.jinja"
    return files.filter { $0.name != name } + [Companion("\(chat.place)/\(name)", bytes: Array(chat.text.utf8))]
  }

  private static func dropout(_ configuration: TrainingConfiguration) -> Dropout? {
    let rate = configuration.training.dropout
    return rate == 0 ? nil : Dropout(embedding: rate, residual: rate, stream: dropoutStream(configuration))
  }

  private static func dropoutStream(_ configuration: TrainingConfiguration) -> RandomStream {
    RandomStream(seed: configuration.seed, name: "dropout")
  }

  /// Lets the indices of the data sets stay where they are.
  func keepIndices() { for set in samples.sets + [validation].compactMap(\.self) { set.folder.keep() } }

  // MARK: What the loop takes

  /// What the steps work on, and how they are taken.
  func work() throws -> TrainingWork {
    TrainingWork(
      trained: method.trained, training: configuration.training, validationSchedule: configuration.validation,
      checkpoints: configuration.checkpoints, bounds: bounds, forecast: try forecast(),
      summary: try parts.summary(
        samples: samples.count, validation: validation?.count ?? 0, vocabulary: vocabulary, endOfText: source.endOfText)
    )
  }

  /// The student, its method and what it learns from behind a state.
  ///
  /// - Parameter folder: Holds the replay store, where the run has one.
  func learner(from state: TrainerState, in folder: RunFolder) throws -> LanguageLearner {
    let validation = validation.map { samples in
      ValidationSet(samples, configuration.validation) { [self] in try answer(samples, of: $0, count: $1) }
    }
    let tokenizer = parts.tokenizer.tokenizer, end = source.endOfText.appended
    return LanguageLearner(
      student, method, learningFrom: try examples(from: state, in: folder), data: samples, validation: validation,
      companions: companions, endToken: end == tokenizer.eosTokenID ? nil : end.flatMap(tokenizer.token),
      microBatchTokens: configuration.training.microBatchTokens)
  }

  /// Greedy responses to the first prompts of the validation rows, against their own.
  private func answer(
    _ samples: IndexedSamples, of model: any CausalLanguageModel, count: Int
  ) throws -> EvaluationReport.Responses? {
    let tokenizer = parts.tokenizer.tokenizer, newTokens = configuration.validation.maximumNewTokens
    let cases = try (0..<count).map {
      try ResponseEvaluation.Case(samples.index.sample(at: $0), source, tokenizer, newTokens: newTokens)
    }
    return try ResponseEvaluation(
      model: model, tokenizer: tokenizer, settings: SamplingSettings(temperature: 0, maximumNewTokens: newTokens),
      ends: source.endOfText.stops, batchSize: 32, stream: RandomStream(seed: 1, name: "decoding")
    ).evaluate(cases, onPass: Interruption.check)
  }

  var totalSteps: Int { configuration.training.totalSteps(sampleCount: samples.count) }

  private var bounds: TrainerState.Bounds {
    let sampler = configuration.sampler.map { AdaptiveSampler(settings: $0, seed: configuration.seed) }
    return TrainerState.Bounds(
      totalSteps: totalSteps, initial: TrainerState(sampler: sampler, dropout: Self.dropoutStream(configuration)),
      hasDropout: student.dropout != nil, rounds: configuration.outputs?.rounds)
  }

  /// What the steps will hold in memory.
  func forecast() throws -> MemoryForecast {
    let longestOutput = configuration.outputs.map { replay in
      min(samples.longestPrompt + replay.lengths.most, student.configuration.contextLength)
    }
    let sizes = try MicroBatchSize.all(
      of: samples, order: Self.order(samples, configuration), totalSteps: totalSteps, longestOutput: longestOutput,
      microBatchTokens: configuration.training.microBatchTokens)
    return MemoryForecast(
      method, teacher: parts.teachers.live(vocabulary: vocabulary),
      teacherBytes: parts.teachers.parameterBytes, microBatches: sizes)
  }

  /// The order in which the samples are visited.
  static func order(_ samples: TrainingData, _ configuration: TrainingConfiguration) -> DataOrder {
    DataOrder(
      counts: samples.sets.map(\.count), weights: samples.weights, batchSize: configuration.training.batchSize,
      seed: configuration.seed)
  }
}
