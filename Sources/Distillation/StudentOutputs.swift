import Diagnostics
import Fingerprints
import Generation
import Models
import RandomStreams
import Replay
import Sequences
import TeacherSignal

/// Stage three inside training: fresh responses go into the run's replay store, batches come out of it.
final class StudentOutputs {
  private let regenerator: Regenerator
  private let writer: ReplayWriter
  private let made: Origin
  private var history: ReplayHistory

  /// What a run's versions have in common.
  struct Origin {
    var teacher: Fingerprint
    var tokenizer: Fingerprint
    /// Of the data set that prompts are taken from.
    var data: Fingerprint
    var seed: UInt64
  }

  /// - Parameters:
  ///   - directory: The run's replay store; made where missing.
  ///   - resumingAfter: Newest version that belongs to the checkpoint resumed from. Later ones were published by steps
  ///     that will be taken again, to the same bytes, and are taken back.
  /// - Throws: a `Diagnostic` where the store never had that version, holds versions of another run, or is damaged.
  init(regenerator: Regenerator, directory: String, origin: Origin, resumingAfter version: Int) throws {
    self.regenerator = regenerator
    made = origin
    writer = try ReplayWriter(directory: directory)
    try writer.rollBack(to: version)
    history = try ReplayHistory(
      of: writer, topK: regenerator.scorer.topK, vocabularySize: regenerator.scorer.vocabulary
    ) { version in
      guard version.origin.teacher != origin.teacher || version.origin.seed != origin.seed else { return }
      throw Diagnostic.input(
        "was made by another run: teacher \(version.origin.teacher) and seed \(version.origin.seed) there, "
          + "\(origin.teacher) and \(origin.seed) here", file: directory, field: "version \(version.number)",
        remedy: "put the run's own replay folder back, or choose another --output")
    }
  }

  /// Newest published version, 0 before the first.
  var version: Int { history.version }

  /// Samples over all versions, oldest first: the index space of ``draw(_:)``.
  var count: Int { history.count }

  /// Lets the student answer, publishes the scored answers as the next version and returns them.
  func generate(prompts: [[Int32]], step: Int) throws -> [TrainingExample] {
    let stream = RandomStream(seed: made.seed, name: "regeneration").split(UInt64(step))
    let samples = try regenerator.respond(to: prompts, stream: stream, birthStep: step)
    let origin = regenerator.origin(
      teacher: made.teacher, tokenizer: made.tokenizer, data: made.data, seed: made.seed, step: step)
    let version = try writer.publish(origin) { try $0.append(samples) }
    try history.append(version)
    return samples.enumerated().map { index, sample in
      Self.example(sample, name: Self.name(version: version.number, index: index))
    }
  }

  /// Samples at indices over all versions.
  ///
  /// - Throws: a `Diagnostic` for a sample that is damaged, or that the student cannot have written.
  func draw(_ indices: [Int]) throws -> [TrainingExample] {
    try indices.map { index in
      let (sample, version, place) = try history.sample(at: index)
      let name = Self.name(version: version, index: place)
      try check(sample.scored, name: name)
      return Self.example(sample, name: name)
    }
  }

  private func check(_ sample: ScoredSample, name: String) throws {
    let limits = SequenceLimits(regenerator.student.configuration, role: "the student")
    do {
      try limits.check(sample.sequence.tokenIDs, inputs: sample.sequence.count, name: "it")
    } catch let fault as Diagnostic {
      // Not a row of the user's: what the student wrote itself.
      throw Diagnostic.failure(
        fault.message, file: writer.store.directory, field: name, remedy: "put the run's own replay folder back")
    }
  }

  private static func name(version: Int, index: Int) -> String { "replay version \(version), sample \(index)" }

  private static func example(_ replayed: ReplaySample, name: String) -> TrainingExample {
    TrainingExample(
      sequence: replayed.scored.trainedSequence, signal: replayed.scored.signal, isStudentOutput: true, name: name)
  }
}
