import Configuration
import Diagnostics
public import Methods
public import Tensor
public import Training

/// Everything that decides a training run: the `train` verb's YAML file, one struct a section.
///
/// Unknown keys are errors. Paths are relative to the working folder.
public struct TrainingConfiguration: Sendable, Codable {
  /// Seeds every random stream of the run.
  public var seed: UInt64 = 1
  /// Of the matrix products of student and teacher; the student's master weights are fp32 in both.
  public var precision = Precision.fp32
  public var student: StudentConfiguration
  /// The model that learns beside the student, where the method has two learn from each other.
  public var partner: StudentConfiguration?
  /// Absent for plain fine-tuning (`objective: {name: sft}`).
  public var teacher: TeacherConfiguration?
  public var data: DataConfiguration
  /// The method, and its own keys.
  public var objective = MethodChoice(SupervisedFineTuning.Settings())
  public var training: ScheduleConfiguration
  public var validation = ValidationConfiguration()
  public var checkpoints = CheckpointConfiguration()
  /// Where the texts of a step come from; where it is not said, ``DataSource/adaptive`` with ``replay`` and ``DataSource/fixed``
  /// without.
  public var source: DataSource?
  /// How the student writes, and what it wrote is drawn again; passed over where it writes nothing.
  public var replay: ReplayConfiguration?

  /// How the student writes; nil where it writes nothing.
  public var outputs: ReplayConfiguration? {
    switch source ?? (replay == nil ? .fixed : .adaptive) {
    case .fixed, .teacher: nil
    case .onPolicy: (replay ?? ReplayConfiguration()).mixing(1, isAlways: true)
    case .mixed(let share): (replay ?? ReplayConfiguration()).mixing(share)
    case .adaptive, .paired: replay ?? ReplayConfiguration()
    }
  }

  /// Whether a model is made of the teacher's layers.
  var takesLayers: Bool { [student, partner].contains { $0?.layers != nil } }

  /// Whether each row has what the student wrote beside it.
  var isPaired: Bool { source == .paired }

  /// What chooses between the data and the student's outputs; nil where there is no choice.
  var sampler: AdaptiveSampler.Settings? { isPaired ? nil : outputs?.sampler }

  private enum CodingKeys: String, CodingKey {
    case seed, precision, student, partner, teacher, data, objective, training, validation, checkpoints, source, replay
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    seed = try keys.decode(.seed, default: seed)
    precision = try keys.decode(.precision, default: precision)
    student = try keys.decode(StudentConfiguration.self, forKey: .student)
    partner = try keys.decodeIfPresent(StudentConfiguration.self, forKey: .partner)
    teacher = try keys.decodeIfPresent(TeacherConfiguration.self, forKey: .teacher)
    data = try keys.decode(DataConfiguration.self, forKey: .data)
    objective = try keys.decode(.objective, default: objective)
    training = try keys.decode(ScheduleConfiguration.self, forKey: .training)
    validation = try keys.decode(.validation, default: validation)
    checkpoints = try keys.decode(.checkpoints, default: checkpoints)
    source = try keys.decodeIfPresent(DataSource.self, forKey: .source)
    replay = try keys.decodeIfPresent(ReplayConfiguration.self, forKey: .replay)
  }

  /// Checks the values of every section.
  ///
  /// - Throws: a `Diagnostic` of category `input` whose field is the dotted path of a value that is out of bounds, such as
  ///   `training.steps`.
  public func validate() throws {
    try CodingKeys.student.within(student.validate)
    if let partner {
      try CodingKeys.partner.within(partner.validate)
      guard partner.tokenizer == nil else {
        throw Diagnostic.input(
          "the partner reads what the student reads", field: "partner.tokenizer", remedy: "leave it out")
      }
    }
    try checkPartner()
    if let teacher { try CodingKeys.teacher.within(teacher.validate) }
    try CodingKeys.data.within(data.format.validate)
    try CodingKeys.objective.within(objective.settings.validate)
    try CodingKeys.training.within(training.validate)
    try CodingKeys.validation.within(validation.validate)
    try CodingKeys.checkpoints.within(checkpoints.validate)
    if let source { try CodingKeys.source.within(source.validate) }
    if let replay { try CodingKeys.replay.within(replay.validate) }
  }

  private func checkPartner() throws {
    let name = objective.settings.name
    switch (partner == nil, objective.settings.needsPartner) {
    case (true, true):
      throw Diagnostic.input(
        "objective \(name) trains two models, and there is one", field: "partner",
        remedy:
          "say what the other one starts from: `partner: {from: DIR}`, or `config` or `layers` as a student has them")
    case (false, false):
      throw Diagnostic.input(
        "objective \(name) trains the student alone", field: "partner",
        remedy: "leave it out, or choose ctcd")
    default: break
    }
  }
}
