import Diagnostics
import Fingerprints
import Methods
import Models
import NN
import Provenance
import RandomStreams
import Samples
import Sequences
import Telemetry
import Tensor
import Tokenizers
import Training

/// What the training of a model that gives texts their vectors works on, loaded and checked against each other before the first
/// step.
final class EmbedderSetup {
  private let configuration: EmbedderConfiguration
  private let student: SentenceModel
  private let settings: SentenceSettings
  private let pooling: Pooling
  private let objective: any EmbeddingObjective
  private let tokenizer: TokenizerBundle
  private let data: EmbeddingLearner.Data
  private let validation: EmbeddingLearner.Data?
  private let order: DataOrder
  private let bankSize: Int
  /// What the run is made from, by content.
  let provenance: Provenance

  /// - Parameters:
  ///   - vectors: The files of the teacher's vectors, where there is a teacher.
  ///   - checkpoint: The student to go on from; nil makes the one that the configuration asks for.
  ///   - place: Where the indices of the data sets are kept.
  /// - Throws: a `Diagnostic` for what does not fit.
  init(
    _ configuration: EmbedderConfiguration, vectors: TeacherVectorFiles, student checkpoint: String?,
    index place: IndexPlace
  ) throws {
    self.configuration = configuration
    let loaded = try Self.student(configuration, checkpoint: checkpoint)
    student = loaded.model
    student.precision = configuration.precision
    pooling = try Self.pooling(configuration, loaded.settings, of: student)
    let source = configuration.student.start
    tokenizer = try TrainingParts.tokenizer(
      source.tokenizer ?? source.from ?? configuration.teacher?.model, checkpoint: checkpoint)
    var format = configuration.data.format
    let context = student.limits(role: "the student").context
    format.maximumLength = min(format.maximumLength ?? loaded.settings.maximumLength ?? context, context)
    settings = SentenceSettings(
      pooling: pooling, normalizes: configuration.student.normalize ?? loaded.settings.normalizes ?? false,
      maximumLength: format.maximumLength)
    let reading = Reading(
      configuration: configuration, student: student, tokenizer: tokenizer, longest: format.maximumLength)
    data = try reading.data(configuration.data.train, place, vectors: vectors.train)
    validation = try configuration.data.validation.map {
      try reading.data($0, place, vectors: vectors.validation, limit: configuration.validation.limit)
    }
    bankSize = try Self.bank(configuration, of: data)
    objective = try Self.objective(configuration, student, data.teacher, validation?.teacher)
    order = DataOrder(
      sampleCount: data.rows.count, batchSize: configuration.training.batchSize, seed: configuration.seed)
    var made = try reading.provenance(train: data, validation: validation)
    made.pin(Provenance.order, order.version)
    if checkpoint == nil {
      made.pin("student", ModelStore.fingerprint(of: student), place: configuration.student.start.from)
    }
    provenance = made
    student.recomputing = configuration.training.recompute
    let rate = configuration.training.dropout
    student.dropout = rate == 0 ? nil : Dropout(embedding: rate, residual: rate, stream: dropoutStream)
  }

  private var dropoutStream: RandomStream { RandomStream(seed: configuration.seed, name: "dropout") }

  // MARK: The student

  private static func student(
    _ configuration: EmbedderConfiguration, checkpoint: String?
  ) throws -> (model: SentenceModel, settings: SentenceSettings) {
    let start = configuration.student.start
    if let existing = checkpoint ?? start.from {
      let loaded = try ModelStore.loadSentenceModel(existing, trainable: true)
      for notice in loaded.notices { Log.info(notice) }
      return (loaded.model, loaded.settings)
    }
    if let layers = start.layers {
      guard let path = configuration.teacher?.model else {
        throw Diagnostic.input(
          "layers are those of teacher.model, which is not named", field: "student.layers",
          remedy: "name teacher.model, or start the student from a model of its own")
      }
      let teacher = try ModelStore.loadSentenceModel(path, trainable: false)
      do { return (try ModelStore.student(from: teacher.model, layers: layers), teacher.settings) } catch var fault
        as Diagnostic
      {
        fault.field = "student.layers"
        throw fault
      }
    }
    let fresh = try start.fresh(seed: configuration.seed) { try ModelStore.makeSentenceModel($0, stream: &$1) }
    return (fresh, SentenceSettings(pooling: nil, normalizes: nil, maximumLength: nil))
  }

  private static func pooling(
    _ configuration: EmbedderConfiguration, _ settings: SentenceSettings, of student: SentenceModel
  ) throws -> Pooling {
    let named = configuration.student.pooling ?? settings.pooling
    if named == nil, case .decoder = student {
      throw Diagnostic.input(
        "the student is a decoder, and nothing says how a text's hidden states become its vector",
        field: "student.pooling", remedy: "choose mean or last")
    }
    let pooling = named ?? .mean
    do { try student.check(pooling) } catch var fault as Diagnostic {
      fault.field = "student.pooling"
      throw fault
    }
    return pooling
  }

  // MARK: The objective

  private static func objective(
    _ configuration: EmbedderConfiguration, _ student: SentenceModel, _ teacher: TeacherVectors?,
    _ validation: TeacherVectors?
  ) throws -> any EmbeddingObjective {
    switch configuration.objective.settings {
    case .pairs(let settings): return PairContrast(settings)
    case .distillation(let settings):
      guard let teacher else { preconditionFailure("a distillation without a teacher") }
      if let validation, validation.width != teacher.width {
        throw Diagnostic.input(
          "holds vectors of \(validation.width) numbers, and those of the training rows have \(teacher.width)",
          file: validation.path, field: "teacher.validation_vectors", remedy: "let one teacher write both")
      }
      guard settings.projects || student.width == teacher.width else {
        throw Diagnostic.input(
          "the student's vectors have \(student.width) numbers, the teacher's \(teacher.width)",
          field: "objective.projection",
          remedy: "leave it out: a map from one to the other is learnt then")
      }
      return EmbeddingDistillation(
        settings, width: student.width, teacherWidth: teacher.width, seed: configuration.seed)
    }
  }

  /// The size of the bank, where the rows have room for it.
  private static func bank(_ configuration: EmbedderConfiguration, of data: EmbeddingLearner.Data) throws -> Int {
    let (rows, batch) = (data.rows.count, configuration.training.batchSize)
    guard batch <= rows else {
      throw Diagnostic.input(
        "is \(batch), and there are \(rows) rows: some would be told apart from themselves",
        field: "training.batch_size", remedy: "lower it to \(rows)")
    }
    var bank = 0
    if case .distillation(let settings) = configuration.objective.settings { bank = settings.bankSize }
    guard batch + bank <= rows else {
      throw Diagnostic.input(
        "is \(bank): with the \(batch) rows of a step that makes \(batch + bank) of the teacher's vectors, and there are \(rows)",
        field: "objective.bank", remedy: "lower it to \(rows - batch)")
    }
    guard configuration.objective.name != EmbeddingDistillation.Loss.mse.rawValue, batch == 1, bank == 0,
      data.rows.texts.count < 3
    else { return bank }
    throw Diagnostic.input(
      "is 1: a row alone has nothing to be told apart from", field: "training.batch_size", remedy: "raise it")
  }

  // MARK: What the loop takes

  /// Lets the indices of the data sets stay where they are.
  func keepIndices() {
    for samples in data.rows.texts + (validation?.rows.texts ?? []) { samples.folder.keep() }
  }

  private var trained: [TrainedParameters] {
    [TrainedParameters(TrainedParameters.student, student.parameters)] + [objective.beside].compactMap(\.self)
  }

  /// What the steps work on, and how they are taken.
  func work() throws -> TrainingWork {
    let total = configuration.training.totalSteps(sampleCount: data.rows.count)
    return TrainingWork(
      trained: trained, training: configuration.training, validationSchedule: configuration.validation.schedule,
      checkpoints: configuration.checkpoints,
      bounds: TrainerState.Bounds(
        totalSteps: total, initial: TrainerState(sampler: nil, dropout: dropoutStream),
        hasDropout: student.dropout != nil),
      forecast: try MemoryForecast(
        student, pooling, objective, of: data, order: order, bank: bankSize, totalSteps: total,
        microBatchTokens: configuration.training.microBatchTokens), summary: summary)
  }

  /// The student and what it learns from.
  func learner() throws -> EmbeddingLearner {
    let base = try configuration.student.start.from.map(ModelStore.resolve)
    let companions = try ModelStore.companions(in: tokenizer.directory, base: base)
    return EmbeddingLearner(
      student, pooling, objective, learningFrom: data, order: order,
      bank: BankSample(count: bankSize, of: data.rows.count, seed: configuration.seed), validation: validation,
      microBatchTokens: configuration.training.microBatchTokens
    ) { [student, settings] folder in try ModelStore.save(student, settings, to: folder, companions: companions) }
  }

  private var summary: [String] {
    let count = student.parameters.values.count
    return [
      "student: \(student.family) of \(count) parameters, vectors of \(student.width) numbers, pooling \(pooling)",
      "data: \(data.rows.count) rows to train on, \(validation?.rows.count ?? 0) to validate",
    ]
      + (data.teacher.map {
        [
          "teacher: \($0.rows) vectors of \($0.width) numbers"
            + (bankSize > 0 ? ", a bank of \(bankSize) of them a step" : "")
        ]
      } ?? [])
  }
}

/// Reads rows as the student does, and the teacher's vectors of them.
private struct Reading {
  let configuration: EmbedderConfiguration
  let student: SentenceModel
  let tokenizer: TokenizerBundle
  /// Tokens of the longest text.
  let longest: Int?

  func data(
    _ files: DataFiles, _ place: IndexPlace, vectors: String?, limit: Int? = nil
  ) throws -> EmbeddingLearner.Data {
    let limits = student.limits(role: "the student")
    let texts = try configuration.data.formats.map { format in
      var format = format
      format.maximumLength = longest
      let source = try SampleSource(
        format, tokenizer: tokenizer, limits: limits, ends: [],
        chat: format.chatTemplate(of: tokenizer.tokenizer, begun: nil))
      let samples = try source.texts(of: files, index: place)
      try samples.check(limits, lastIsTarget: false)
      return samples
    }
    let teacher = try vectors.map(TeacherVectors.init)
    var made = Provenance()
    try made.pin("data", files: files)
    if let part = made["data"] { try teacher?.check(data: part, count: texts[0].count) }
    return EmbeddingLearner.Data(EmbeddingRows(texts, limit: limit), teacher: teacher)
  }

  func provenance(train: EmbeddingLearner.Data, validation: EmbeddingLearner.Data?) throws -> Provenance {
    var made = Provenance()
    try made.pin("data.train", files: configuration.data.train)
    if let files = configuration.data.validation { try made.pin("data.validation", files: files) }
    made.pin("tokenizer", tokenizer.fingerprint, place: tokenizer.directory)
    // The files' rows as token ids: what a length decides is in here too.
    made.pin("samples", fingerprint(train))
    if let validation { made.pin("samples.validation", fingerprint(validation)) }
    for (name, data) in [("teacher.vectors", train), ("teacher.validation_vectors", validation)] {
      if let vectors = data?.teacher, let origin = vectors.origin { made.pin(name, origin, place: vectors.path) }
    }
    made.pin(engine: Engine.variant)
    return made
  }

  private func fingerprint(_ data: EmbeddingLearner.Data) -> Fingerprint {
    Fingerprint(of: data.rows.texts.map { "\($0.index.fingerprint)" }.joined(separator: "\n"))
  }
}
