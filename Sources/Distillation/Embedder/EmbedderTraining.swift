import Configuration
import Diagnostics
import Files
import JSON
public import Provenance
import Samples
import Telemetry
public import Training

/// Trains a model that gives texts their vectors: from a teacher's vectors of the rows (DistilCSE, arXiv 2112.05638), or on rows whose
/// texts belong together. The keys of ``EmbedderConfiguration`` stand beside those of this one.
public struct EmbedderTraining: Stage {
  /// Everything that decides the run.
  public var configuration: EmbedderConfiguration
  /// The run folder.
  public var output: String
  /// Go on from the newest checkpoint where there is one.
  public var resume = false

  /// A run from its first step.
  public init(_ configuration: EmbedderConfiguration, output: String) {
    self.configuration = configuration
    self.output = output
  }

  public func validate() throws { try configuration.validate() }

  /// Trains until the last step or a signal.
  ///
  /// - Throws: a `Diagnostic` for input that does not fit or has changed, a run folder in use, or a loss that stays
  ///   non-finite; `Interrupted` where a signal came before the teacher's vectors were all written.
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
    let vectors = try TeacherVectorFiles(configuration, in: folder)
    let setup = try Interruption.endingAtOnce {
      try EmbedderSetup(
        configuration, vectors: vectors, student: resumed.map(folder.checkpoint), index: .inside(folder.path))
    }
    try folder.record(setup.provenance, resumedAt: resumed, acceptChangedData: false)
    setup.keepIndices()
    return try TrainingLoop(setup.work(), in: folder, resumed: resumed) { _ in try setup.learner() }.run()
  }
}

// MARK: - As a stage

extension EmbedderTraining {
  public static let name = "train-embedder"
  public static let filled = [(key: "output", value: FilledValue.folder), (key: "resume", value: .yes)]

  public var productIsThere: Bool { File.exists("\(RunFolder(output).last)/config.json") }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    let start = configuration.student.start
    try made.pinIfThere("data.train", rows: configuration.data.train)
    if let files = configuration.data.validation { try made.pinIfThere("data.validation", rows: files) }
    if let path = start.from { try made.pinIfThere("student.from", model: path) }
    if let path = start.config?.value.stringValue { try made.pinIfThere("student.config", rows: DataFiles(path)) }
    if let path = start.tokenizer { try made.pinIfThere("student.tokenizer", model: path) }
    guard let teacher = configuration.teacher else { return made }
    if let path = teacher.model { try made.pinIfThere("teacher.model", model: path) }
    // What the run writes itself is no input of it.
    guard teacher.model == nil else { return made }
    for (name, path) in [("vectors", teacher.vectors), ("validation_vectors", teacher.validationVectors)] {
      if let path { try made.pinIfThere("teacher.\(name)", rows: DataFiles(path)) }
    }
    return made
  }

  /// What the validations found before the first step, where the student was its start, and at the best checkpoint.
  public func shown() throws -> String? {
    let metrics = RunFolder(output).metrics
    let found = try File.read(metrics).split(separator: UInt8(ascii: "\n")).map { try JSONValue.parse(Array($0)) }
      .filter { $0["validation_recall_at_1"] != nil }
    func recall(_ entry: JSONValue) -> Double { entry["validation_recall_at_1"]?.doubleValue ?? 0 }
    guard let start = found.first, let best = found.dropFirst().max(by: { recall($0) < recall($1) }) else { return nil }
    let columns = ["loss", "recall_at_1", "spearman"].filter { start["validation_\($0)"] != nil }
    let lines =
      [("", columns)]
      + [("start", start), ("student", best)].map { name, entry in
        (name, columns.map { Readable.decimals(entry["validation_\($0)"]?.doubleValue ?? .nan, 4) })
      }
    return lines.map { name, cells in
      ([name.padded(to: 8)] + cells.map { $0.padded(to: 12, left: true) }).joined()
    }.joined(separator: "\n") + "\n"
  }

  private enum CodingKeys: String, CodingKey { case output, resume }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(try EmbedderConfiguration(from: decoder), output: try keys.decode(.output))
    resume = try keys.decode(.resume, default: resume)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try configuration.encode(to: encoder)
    try keys.encode(output, forKey: .output)
    try keys.encode(resume, forKey: .resume)
  }
}

extension String {
  /// The text with spaces on one side of it.
  fileprivate func padded(to width: Int, left: Bool = false) -> String {
    let spaces = String(repeating: " ", count: max(width - count, 0))
    return left ? spaces + self : self + spaces
  }
}
