import Configuration
import Diagnostics
import Files
import Models
import Provenance
import Replay
import Samples
import Telemetry
import Training

/// Stage three of a training run in a process of its own, where the run's configuration says `replay.writer: process`: from the
/// checkpoint that the run publishes at the beginning of a round it lets the student answer, the teacher score, and publishes
/// the version that the run then takes up.
///
/// What it writes is a function of the checkpoint, so it may be stopped, killed and run again at any time, and so may the
/// trainer: the versions have the same bytes, which are those that the run would have written itself.
public struct ReplayFollowing: Sendable {
  /// The run's folder; it may not be there yet.
  public var folder: String

  /// How it ended.
  public struct Outcome: StageOutcome, Equatable {
    /// Versions that are published now, and how many the run has.
    public var versions: Int
    public var rounds: Int
    /// Samples written in this sitting.
    public var samples: Int
    public var interrupted: Bool
  }

  public init(run folder: String) { self.folder = folder }

  /// Publishes until the run's last round has its version, or a signal; waits for what the run has not come to.
  ///
  /// - Throws: a `Diagnostic` where the run writes by itself, files are not those that it began with, a checkpoint is damaged or
  ///   gone, or another process follows the run.
  public func run() throws -> Outcome {
    var outcome = Outcome(versions: 0, rounds: 0, samples: 0, interrupted: false)
    do { try follow(&outcome) } catch is Interrupted { outcome.interrupted = true }
    return outcome
  }

  private func follow(_ outcome: inout Outcome) throws {
    let folder = RunFolder(self.folder)
    let configuration = try awaited("the run to begin") { () -> TrainingConfiguration? in
      try File.exists(folder.configuration)
        ? ConfigurationFile(path: folder.configuration).decode(TrainingConfiguration.self) : nil
    }
    guard let replay = configuration.outputs, replay.writer == .process, let rounds = replay.rounds else {
      throw Diagnostic.input(
        "the run writes what the student says by itself, if it does", file: folder.configuration,
        field: "replay.writer",
        remedy: "nothing is to be done here; `writer: process` and `round` under `replay` leave it to this command")
    }
    let lock = try folder.followLock()
    defer { withExtendedLifetime(lock) {} }
    EngineAnnouncement.print(configuration.precision)
    let (setup, loaded) = try setup(configuration, rounds, in: folder)
    let writer = try ReplayWriter(directory: folder.replay)
    var written: (step: Int, student: any CausalLanguageModel) = (loaded, setup.student)
    let total = setup.totalSteps
    outcome.rounds = rounds.count(of: total)
    outcome.versions = try writer.store.latest()?.number ?? 0
    let progress = Progress("follow", total: outcome.rounds, unit: "versions", done: outcome.versions)
    while outcome.versions < outcome.rounds {
      let round = outcome.versions
      let step = rounds.writingStep(of: round)
      let state = try awaited("its checkpoint of step \(step)") { try folder.published(step: step) }
      if written.step != step { written = (step, try setup.student(at: folder.checkpoint(step: step))) }
      guard let regenerator = try setup.regenerator(of: written.student) else {
        preconditionFailure("a run whose student writes, and nobody who scores it")
      }
      let version = try setup.roundWriter(setup.output(regenerator, to: writer), rounds: rounds).write(
        round, of: total, answers: state.sampler?.asksStudent ?? true)
      outcome.versions = version.number
      outcome.samples += version.sampleCount
      progress.advance(message: "\(version.sampleCount) samples of step \(step)")
      try prune(setup, regenerator, writer, in: folder)
    }
    progress.finish()
  }

  /// The models and rows of the run, which have to be those that it began with, and the step of the student that is loaded with
  /// them: the one that writes next, or where nobody does any more, as any will do, the newest.
  private func setup(
    _ configuration: TrainingConfiguration, _ rounds: Rounds, in folder: RunFolder
  ) throws -> (setup: TrainingSetup, step: Int) {
    // The run makes its store before its first checkpoint.
    _ = try awaited("its first checkpoint") { try folder.checkpointSteps().last }
    let newest = try ReplayStore(directory: folder.replay).latest()?.number
    let next = rounds.writingStep(of: newest ?? 0)
    while true {
      let steps = try folder.checkpointSteps()
      guard let step = steps.contains(next) ? next : steps.last else { continue }
      do {
        return try Interruption.endingAtOnce {
          let before = try Provenance(path: folder.provenance)
          let setup = try TrainingSetup(
            configuration, student: folder.checkpoint(step: step), index: .temporary,
            begun: before?[Provenance.date]?.content)
          try before?.check(setup.provenance, file: folder.provenance, remedy: "bring back what the run began with")
          return (setup, step)
        }
      } catch {
        // One that nobody waits for may be removed while it is read.
        if try folder.checkpointSteps().contains(step) { throw error }
      }
    }
  }

  private func awaited<Value>(_ what: String, _ value: () throws -> Value?) throws -> Value {
    try Waiting.until("\(folder): waits for \(what)", value)
  }

  /// What the run would remove, had it written by itself.
  private func prune(
    _ setup: TrainingSetup, _ regenerator: Regenerator, _ writer: ReplayWriter, in folder: RunFolder
  ) throws {
    guard let pruning = setup.pruning(of: writer) else { return }
    let outputs = try StudentOutputs(
      writer.store, of: regenerator, seed: setup.configuration.seed, upTo: writer.store.latest()?.number ?? 0)
    try pruning.prune(outputs, resumableAt: folder.oldestReplayVersion())
  }
}
