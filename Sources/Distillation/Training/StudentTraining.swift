import Configuration
public import Provenance
import Files
import JSON
import Samples
import Telemetry
public import Training

/// Stage two: trains a student by streaming the teacher's signals, and on its schedule writes, scores and replays the
/// student's own outputs (stage three). The keys of ``TrainingConfiguration`` stand beside those of this one.
public struct StudentTraining: Stage {
  /// Everything that decides the run.
  public var configuration: TrainingConfiguration
  /// The run folder.
  public var output: String
  /// Go on from the newest checkpoint where there is one.
  public var resume = false
  /// Go on also where the rows are not those the run began with; the run folder records it.
  public var acceptChangedData = false

  /// A run from its first step.
  public init(_ configuration: TrainingConfiguration, output: String) {
    self.configuration = configuration
    self.output = output
  }

  public func validate() throws { try configuration.validate() }

  /// Trains until the last step or a signal.
  ///
  /// - Throws: a `Diagnostic` for input that does not fit or has changed, a run folder in use, or a loss that stays
  ///   non-finite.
  public func run() throws -> TrainingOutcome {
    try validate()
    EngineAnnouncement.print(configuration.precision)
    let folder = RunFolder(output)
    let lock = try folder.lock()
    defer { withExtendedLifetime(lock) {} }
    let resumed = try folder.checkpointToResume(resume)
    try folder.record(configuration, resuming: resumed != nil) {
      // May be what lets the run go on, and changes no byte of it.
      $0.training.recompute = configuration.training.recompute
    }
    let configured = try TeacherTexts(configuration: configuration, folder: folder).written()
    let setup = try Interruption.endingAtOnce {
      try TrainingSetup(
        configured, student: resumed.map(folder.checkpoint), index: .inside(folder.path),
        begun: resumed == nil ? nil : Provenance(path: folder.provenance)?[Provenance.date]?.content)
    }
    try folder.record(setup.provenance, resumedAt: resumed, acceptChangedData: acceptChangedData)
    setup.keepIndices()
    let loop = try TrainingLoop(setup.work(), in: folder, resumed: resumed) {
      try setup.learner(from: $0, in: folder)
    }
    return try loop.run()
  }
}

extension TrainingOutcome: StageOutcome {}

extension StudentTraining {
  public static let name = "train"
  public static let filled = [(key: "output", value: FilledValue.folder), (key: "resume", value: .yes)]

  public var productIsThere: Bool { File.exists("\(RunFolder(output).last)/config.json") }

  public func inputs() throws -> Provenance { try configuration.inputs() }

  private enum CodingKeys: String, CodingKey {
    case output, resume
    case acceptChangedData = "accept_changed_data"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(try TrainingConfiguration(from: decoder), output: try keys.decode(.output))
    resume = try keys.decode(.resume, default: resume)
    acceptChangedData = try keys.decode(.acceptChangedData, default: acceptChangedData)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try configuration.encode(to: encoder)
    try keys.encode(output, forKey: .output)
    try keys.encode(resume, forKey: .resume)
    try keys.encode(acceptChangedData, forKey: .acceptChangedData)
  }
}

extension TrainingConfiguration {
  /// What a run of it reads; see ``Stage/inputs()``.
  package func inputs() throws -> Provenance {
    var made = Provenance()
    for (number, part) in data.train.parts.enumerated() {
      try made.pinIfThere(number == 0 ? "data.train" : "data.train.\(number + 1)", rows: part.path)
    }
    if let files = data.validation { try made.pinIfThere("data.validation", rows: files) }
    for (role, model) in [("student", student)] + (partner.map { [("partner", $0)] } ?? []) {
      if let path = model.from { try made.pinIfThere("\(role).from", model: path) }
      if let path = model.config?.value.stringValue { try made.pinIfThere("\(role).config", rows: DataFiles(path)) }
    }
    if let path = student.tokenizer { try made.pinIfThere("student.tokenizer", model: path) }
    if let source = teacher?.source { try made.pinIfThere("teacher.model", source) }
    if let path = teacher?.cache { try made.pinIfThere("teacher.cache", cache: path) }
    return made
  }
}

extension MemoryForecast {
  /// What a run of that configuration would hold, without training: loads models and data as a run does.
  ///
  /// - Throws: a `Diagnostic` for input that does not fit, as ``StudentTraining/run()``.
  public init(_ configuration: TrainingConfiguration) throws {
    self = try TrainingSetup(configuration, student: nil, index: .temporary).forecast()
  }
}
