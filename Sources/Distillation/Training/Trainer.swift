import Samples
import Telemetry
public import Training

/// Stage two: trains a student by streaming the teacher's signals, and on its schedule writes, scores and replays the
/// student's own outputs (stage three).
public enum Trainer {
  /// Trains until the last step or a signal.
  ///
  /// - Parameters:
  ///   - output: The run folder.
  ///   - resume: Go on from the newest checkpoint where there is one.
  ///   - acceptChangedData: Go on also where the rows are not those the run began with; the run folder records it.
  /// - Throws: a `Diagnostic` for input that does not fit or has changed, a run folder in use, or a loss that stays non-finite.
  public static func train(
    _ configuration: TrainingConfiguration, output: String, resume: Bool, acceptChangedData: Bool = false
  ) throws -> TrainingOutcome {
    EngineAnnouncement.print(configuration.precision)
    let folder = RunFolder(output)
    let lock = try folder.lock()
    defer { withExtendedLifetime(lock) {} }
    let resumed = try folder.checkpointToResume(resume)
    try folder.record(configuration, resuming: resumed != nil) {
      // May be what lets the run go on, and changes no byte of it.
      $0.training.recompute = configuration.training.recompute
    }
    let setup = try Interruption.endingAtOnce {
      try TrainingSetup(configuration, student: resumed.map(folder.checkpoint), index: .inside(folder.path))
    }
    try folder.record(setup.provenance, resumedAt: resumed, acceptChangedData: acceptChangedData)
    setup.keepIndices()
    let loop = try TrainingLoop(setup.work(), in: folder, resumed: resumed) {
      try setup.examples(from: $0, in: folder)
    }
    return try loop.run()
  }
}

extension MemoryForecast {
  /// What a run of that configuration would hold, without training: loads models and data as a run does.
  ///
  /// - Throws: a `Diagnostic` for input that does not fit, as ``Trainer/train(_:output:resume:acceptChangedData:)``.
  public init(_ configuration: TrainingConfiguration) throws {
    self = try TrainingSetup(configuration, student: nil, index: .temporary).forecast()
  }
}
