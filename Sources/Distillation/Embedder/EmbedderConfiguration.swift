import Configuration
import Diagnostics
public import Methods
public import Models
public import Samples
public import Tensor
public import Training

/// Everything that decides the training of a model that gives texts their vectors: the `train-embedder` verb's YAML file, one struct
/// a section.
///
/// Unknown keys are errors. Paths are relative to the working folder.
public struct EmbedderConfiguration: Sendable, Codable {
  /// Seeds every random stream of the run.
  public var seed: UInt64 = 1
  /// Of the matrix products of student and teacher; the student's master weights are fp32 in both.
  public var precision = Precision.fp32
  public var student: Student
  /// Absent for an objective that learns from the rows alone.
  public var teacher: Teacher?
  public var data: Data
  /// What the vectors are trained for, and its own keys.
  public var objective = EmbeddingChoice(.distillation(EmbeddingDistillation.Settings(.disco)))
  public var training: ScheduleConfiguration
  public var validation = Validation()
  public var checkpoints = CheckpointConfiguration()

  private enum CodingKeys: String, CodingKey {
    case seed, precision, student, teacher, data, objective, training, validation, checkpoints
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    seed = try keys.decode(.seed, default: seed)
    precision = try keys.decode(.precision, default: precision)
    student = try keys.decode(Student.self, forKey: .student)
    teacher = try keys.decodeIfPresent(Teacher.self, forKey: .teacher)
    data = try keys.decode(Data.self, forKey: .data)
    objective = try keys.decode(.objective, default: objective)
    training = try keys.decode(ScheduleConfiguration.self, forKey: .training)
    validation = try keys.decode(.validation, default: validation)
    checkpoints = try keys.decode(.checkpoints, default: checkpoints)
  }

  /// Checks the values of every section, and that the objective has what it learns from.
  ///
  /// - Throws: a `Diagnostic` of category `input` whose field is the dotted path of what is at fault.
  public func validate() throws {
    try CodingKeys.student.within(student.validate)
    guard student.start.share == nil else {
      throw Diagnostic.input(
        "a student that gives vectors uses each of its layers once", field: StudentConfiguration.shareField,
        remedy: "leave it out")
    }
    if let teacher { try CodingKeys.teacher.within(teacher.validate) }
    try CodingKeys.data.within(data.validate)
    try CodingKeys.objective.within(objective.validate)
    try CodingKeys.training.within(training.validate)
    try CodingKeys.validation.within(validation.validate)
    try CodingKeys.checkpoints.within(checkpoints.validate)
    switch objective.settings {
    case .distillation: try checkDistillation()
    case .pairs: try checkPairs()
    }
  }

  private func checkDistillation() throws {
    guard let teacher else {
      throw Diagnostic.input(
        "objective \(objective.name) needs a teacher's vectors of the rows", field: "teacher",
        remedy: "name teacher.model, or teacher.vectors (written by `decant embed`)")
    }
    if let key = data.firstPairKey {
      throw Diagnostic.input(
        "objective \(objective.name) learns from one text a row", field: "data.\(key)",
        remedy: "leave it out, or choose objective simcse")
    }
    guard data.validation != nil, teacher.model == nil, teacher.validationVectors == nil else { return }
    throw Diagnostic.input(
      "the validation rows have no vectors of the teacher's", field: "teacher.validation_vectors",
      remedy: "name their file, or teacher.model")
  }

  private func checkPairs() throws {
    if teacher != nil {
      throw Diagnostic.input(
        "objective simcse learns from the rows alone", field: "teacher", remedy: "leave the teacher out")
    }
    guard data.anchor != nil, data.positive != nil else {
      throw Diagnostic.input(
        "objective simcse needs the names of the fields that belong together",
        field: data.anchor == nil ? "data.anchor" : "data.positive", remedy: "name both data.anchor and data.positive")
    }
    guard data.format.fields == FieldNames(), data.format.separator == nil else {
      throw Diagnostic.input(
        "rows of anchors and positives are JSON, and data.anchor, data.positive and data.negative name their fields",
        field: data.format.separator == nil ? "data.fields" : "data.separator", remedy: "leave it out")
    }
  }
}

extension EmbedderConfiguration {
  /// What the student starts from, and how it makes a vector of a text.
  public struct Student: Sendable, Codable {
    /// Its keys stand beside the others.
    public var start: StudentConfiguration
    /// What becomes of a text's hidden states; nil for what its folder says, and for an encoder else their mean.
    public var pooling: Pooling?
    /// Whether its vectors are given the length 1 where it is used; nil for what its folder says, else false.
    public var normalize: Bool?

    private enum CodingKeys: String, CodingKey { case pooling, normalize }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      start = try StudentConfiguration(from: decoder)
      pooling = try keys.decodeIfPresent(Pooling.self, forKey: .pooling)
      normalize = try keys.decodeIfPresent(Bool.self, forKey: .normalize)
      try keys.checked(validate)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try start.encode(to: encoder)
      try keys.encodeIfPresent(pooling, forKey: .pooling)
      try keys.encodeIfPresent(normalize, forKey: .normalize)
    }

    /// Checks that there is exactly one start, and a way of pooling that a model's files can name.
    func validate() throws {
      try start.validate()
      guard pooling == .pooler else { return }
      throw Diagnostic.input(
        "is pooler, which the files of sentence-transformers have no word for", field: CodingKeys.pooling.stringValue,
        remedy: "choose cls, mean or last")
    }
  }

  /// Whose vectors the student's are to be: at least one of `model` and `vectors`.
  public struct Teacher: Sendable, Codable {
    /// An encoder, or a decoder by its hidden states: its vectors of the rows are written once, before the first step.
    public var model: String?
    /// The file of its vectors of the training rows, as `decant embed` writes it; where the model is named, it is written here, and
    /// in the run's folder where this is absent.
    public var vectors: String?
    /// The same of the validation rows.
    public var validationVectors: String?
    /// What becomes of a text's hidden states; nil for what the model's folder says, else their mean.
    public var pooling: Pooling?
    /// Whether its vectors have the length 1; nil for what the model's folder says, else false.
    public var normalize: Bool?

    private enum CodingKeys: String, CodingKey {
      case model, vectors, pooling, normalize, url
      case validationVectors = "validation_vectors"
    }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      guard !keys.contains(.url) else {
        throw keys.fault(
          .url, "names a server, and what servers say of tokens makes no vectors",
          remedy: "name teacher.model, or teacher.vectors (written by `decant embed`)")
      }
      model = try keys.decodeIfPresent(String.self, forKey: .model)
      vectors = try keys.decodeIfPresent(String.self, forKey: .vectors)
      validationVectors = try keys.decodeIfPresent(String.self, forKey: .validationVectors)
      pooling = try keys.decodeIfPresent(Pooling.self, forKey: .pooling)
      normalize = try keys.decodeIfPresent(Bool.self, forKey: .normalize)
      try keys.checked(validate)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encodeIfPresent(model, forKey: .model)
      try keys.encodeIfPresent(vectors, forKey: .vectors)
      try keys.encodeIfPresent(validationVectors, forKey: .validationVectors)
      try keys.encodeIfPresent(pooling, forKey: .pooling)
      try keys.encodeIfPresent(normalize, forKey: .normalize)
    }

    /// Checks that there is a teacher, and that nothing is asked of vectors that are there already.
    func validate() throws {
      if model != nil { return }
      guard vectors != nil else { throw Diagnostic.input("give at least one of `model` and `vectors`") }
      guard let key = [(CodingKeys.pooling, pooling != nil), (.normalize, normalize != nil)].first(where: \.1)?.0
      else { return }
      throw Diagnostic.input(
        "says how vectors are made, and those of `vectors` are there already", field: key.stringValue,
        remedy: "leave it out, or name the model")
    }
  }

  /// Which rows are trained on and validated with.
  public struct Data: Sendable, Codable {
    public var train: DataFiles
    /// Validation rows; without them nothing is validated.
    public var validation: DataFiles?
    /// The fields of an anchor, of what belongs to it and of what does not, where a row has several texts.
    public var anchor: String?
    public var positive: String?
    public var negative: String?
    /// How rows become tokens; its keys stand beside the others.
    public var format: RowFormat

    private enum CodingKeys: String, CodingKey { case train, validation, anchor, positive, negative }

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      train = try keys.decode(DataFiles.self, forKey: .train)
      validation = try keys.decodeIfPresent(DataFiles.self, forKey: .validation)
      anchor = try keys.decodeIfPresent(String.self, forKey: .anchor)
      positive = try keys.decodeIfPresent(String.self, forKey: .positive)
      negative = try keys.decodeIfPresent(String.self, forKey: .negative)
      format = try RowFormat(from: decoder)
    }

    public func encode(to encoder: any Encoder) throws {
      var keys = encoder.container(keyedBy: CodingKeys.self)
      try keys.encode(train, forKey: .train)
      try keys.encodeIfPresent(validation, forKey: .validation)
      try keys.encodeIfPresent(anchor, forKey: .anchor)
      try keys.encodeIfPresent(positive, forKey: .positive)
      try keys.encodeIfPresent(negative, forKey: .negative)
      try format.encode(to: encoder)
    }

    /// Checks the format, and that no row can be left out: a row and its vector are found by their number.
    func validate() throws {
      try format.validate()
      guard format.longPrompts == .drop else { return }
      throw Diagnostic.input(
        "would leave rows out, which then no longer are those of their vectors", field: "long_prompts",
        remedy: "use truncate-prompt-left, or refuse")
    }

    /// The first of the keys that name the texts of a pair, where one is given.
    var firstPairKey: String? {
      [(CodingKeys.anchor, anchor), (.positive, positive), (.negative, negative)].first { $0.1 != nil }?.0.stringValue
    }

    /// How each text of a row is read.
    var formats: [RowFormat] {
      guard let anchor, let positive else { return [format] }
      return [anchor, positive, negative].compactMap { name in
        name.map {
          var format = format
          format.fields = FieldNames(textOf: $0)
          return format
        }
      }
    }
  }

  /// When the validation rows are measured (also once before the first step and after the last).
  public struct Validation: Sendable, Codable {
    /// Steps between validations; 0: only before the first step and after the last.
    public var every = 0
    /// At most this many rows, from the front of the file; all where absent.
    public var limit: Int?

    private enum CodingKeys: String, CodingKey { case every, limit }

    public init() {}

    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      every = try keys.decode(.every, default: every)
      limit = try keys.decodeIfPresent(Int.self, forKey: .limit)
      try keys.checked(validate)
    }

    /// Checks the counts.
    public func validate() throws {
      try CodingKeys.every.checkNotNegative(every)
      try CodingKeys.limit.checkPositive(limit)
    }

    /// As the loop takes it.
    var schedule: ValidationConfiguration {
      var schedule = ValidationConfiguration()
      (schedule.every, schedule.limit) = (every, limit)
      return schedule
    }
  }
}
