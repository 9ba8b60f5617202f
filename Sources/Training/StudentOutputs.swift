import Diagnostics
package import Fingerprints
import Generation
import Methods
import Models
import RandomStreams
import Replay
import Sequences
import TeacherSignal
import Teachers

/// Stage three inside training: fresh responses go into the run's replay store, batches come out of it.
package final class StudentOutputs {
  private let regenerator: Regenerator
  private let writer: ReplayWriter
  private let data: Fingerprint
  private let seed: UInt64
  private let lengths: ResponseLengths
  private var history: ReplayHistory

  /// - Parameters:
  ///   - directory: The run's replay store; made where missing.
  ///   - data: Fingerprint of the data set that prompts are taken from.
  ///   - seed: Of the run.
  ///   - lengths: Of the responses of each step.
  ///   - resumingAfter: Newest version that belongs to the checkpoint resumed from. Later ones were published by steps
  ///     that will be taken again, to the same bytes, and are taken back.
  /// - Throws: a `Diagnostic` where the store never had that version, holds versions of another run, or is damaged.
  package init(
    _ regenerator: Regenerator, directory: String, data: Fingerprint, seed: UInt64, lengths: ResponseLengths,
    resumingAfter version: Int
  ) throws {
    self.regenerator = regenerator
    self.data = data
    self.seed = seed
    self.lengths = lengths
    writer = try ReplayWriter(directory: directory)
    try writer.rollBack(to: version)
    let teacher = regenerator.teacher.identity
    history = try ReplayHistory(
      of: writer, topK: regenerator.topK, vocabularySize: teacher.vocabularySize
    ) { version in
      guard version.origin.teacher != teacher.model || version.origin.seed != seed else { return }
      throw Diagnostic.input(
        "was made by another run: teacher \(version.origin.teacher) and seed \(version.origin.seed) there, "
          + "\(teacher.model) and \(seed) here", file: directory, field: "version \(version.number)",
        remedy: "put the run's own replay folder back, or choose another `output`")
    }
  }

  /// Newest published version, 0 before the first.
  var version: Int { history.version }

  /// The step at which the student wrote last; nil before the first time.
  var newestStep: Int? { history.newestStep }

  /// Samples over all versions that were written at a step or later, oldest first: indices of ``draw(_:)``.
  func samples(since step: Int) -> Range<Int> { history.samples(since: step) }

  /// Lets the student answer, publishes the scored answers as the next version and returns them.
  func generate(prompts: [[Int32]], step: Int, of total: Int) throws -> [Example] {
    let stream = RandomStream(seed: seed, name: "regeneration").split(UInt64(step))
    regenerator.settings.maximumNewTokens = lengths.tokens(step: step, of: total)
    let samples = try regenerator.respond(to: prompts, stream: stream, birthStep: step)
    let version = try writer.publish(regenerator.origin(data: data, seed: seed, step: step)) { try $0.append(samples) }
    try history.append(version)
    return samples.enumerated().map { index, sample in
      Self.example(sample, name: Self.name(version: version.number, index: index))
    }
  }

  /// Samples at indices over all versions.
  ///
  /// - Throws: a `Diagnostic` for a sample that is damaged, or that the student cannot have written.
  func draw(_ indices: [Int]) throws -> [(example: Example, birthStep: Int)] {
    try indices.map { index in
      let (sample, version, place) = try history.sample(at: index)
      let name = Self.name(version: version, index: place)
      try check(sample.scored, name: name)
      return (Self.example(sample, name: name), sample.birthStep)
    }
  }

  /// Removes versions that no draw can reach; see `ReplayHistory/prune(drawnFrom:keep:resumableAt:)`.
  func prune(drawnFrom capacity: Int, keep: Int, resumableAt version: Int) throws {
    try history.prune(drawnFrom: capacity, keep: keep, resumableAt: version)
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

  private static func example(_ replayed: ReplaySample, name: String) -> Example {
    Example(Lesson(replayed.scored), isStudentOutput: true, name: name)
  }
}
