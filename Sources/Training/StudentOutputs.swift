import Diagnostics
import Fingerprints
import Methods
import Models
package import Replay
import Sequences
import TeacherSignal
import Teachers

/// What a run's student has written, as its steps draw from it: the versions of the run's replay store that it has taken up.
package final class StudentOutputs {
  private let store: ReplayStore
  private let limits: SequenceLimits
  private let seed: UInt64
  private let teacher: Fingerprint
  private var history: ReplayHistory

  /// - Parameters:
  ///   - regenerator: Of the run: whoever writes a version has its like.
  ///   - seed: Of the run.
  ///   - version: Newest that the run has taken up; later ones are not looked at.
  /// - Throws: a `Diagnostic` where the store holds versions of another run, or is damaged.
  package init(_ store: ReplayStore, of regenerator: Regenerator, seed: UInt64, upTo version: Int) throws {
    let identity = regenerator.teacher.identity
    self.store = store
    self.seed = seed
    teacher = identity.model
    limits = SequenceLimits(regenerator.student.configuration, role: "the student")
    history = try ReplayHistory(
      of: store, upTo: version, topK: regenerator.topK, vocabularySize: identity.vocabularySize
    ) { [teacher] in
      try Self.check($0, teacher: teacher, seed: seed, in: store.directory)
    }
    guard history.version == version else {
      throw Diagnostic.failure(
        "the run has taken up version \(version), which is not there", file: store.directory,
        remedy: "put the run's own replay folder back, or resume from a checkpoint before it")
    }
  }

  private static func check(
    _ version: ReplayVersion, teacher: Fingerprint, seed: UInt64, in directory: String
  ) throws {
    guard version.origin.teacher != teacher || version.origin.seed != seed else { return }
    throw Diagnostic.input(
      "was made by another run: teacher \(version.origin.teacher) and seed \(version.origin.seed) there, "
        + "\(teacher) and \(seed) here", file: directory, field: "version \(version.number)",
      remedy: "put the run's own replay folder back, or choose another `output`")
  }

  /// Newest version that was taken up, 0 before the first.
  var version: Int { history.version }

  /// Samples over all versions that were written at a step or later, oldest first: indices of ``draw(_:)``.
  func samples(since step: Int) -> Range<Int> { history.samples(since: step) }

  /// Samples of the newest version.
  var newestSamples: Range<Int> { history.newestSamples }

  /// Takes up the next version.
  ///
  /// - Throws: a `Diagnostic` where another run made it, or it is damaged.
  func take(_ version: ReplayVersion) throws {
    try Self.check(version, teacher: teacher, seed: seed, in: store.directory)
    try history.append(version)
  }

  /// Takes up a version that has just been written.
  ///
  /// - Returns: its samples.
  func take(_ version: ReplayVersion, samples: [ReplaySample]) throws -> [Example] {
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

  /// Removes versions that no draw can reach; see `ReplayHistory/prune(drawnFrom:keep:resumableAt:with:)`.
  func prune(drawnFrom capacity: Int, keep: Int, resumableAt version: Int, with writer: ReplayWriter) throws {
    try history.prune(drawnFrom: capacity, keep: keep, resumableAt: version, with: writer)
  }

  private func check(_ sample: ScoredSample, name: String) throws {
    do {
      try limits.check(sample.sequence.tokenIDs, inputs: sample.sequence.count, name: "it")
    } catch let fault as Diagnostic {
      // Not a row of the user's: what the student wrote itself.
      throw Diagnostic.failure(
        fault.message, file: store.directory, field: name, remedy: "put the run's own replay folder back")
    }
  }

  private static func name(version: Int, index: Int) -> String { "replay version \(version), sample \(index)" }

  private static func example(_ replayed: ReplaySample, name: String) -> Example {
    Example(Lesson(replayed.scored), isStudentOutput: true, name: name)
  }
}
