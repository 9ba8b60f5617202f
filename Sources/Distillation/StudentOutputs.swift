import Fingerprints
import Evaluation
import Generation
import Models
import RandomStreams
import Replay
import TeacherSignal

/// Stage three inside training: fresh responses go into the run's replay store, batches come out of it.
final class StudentOutputs {
  private let regenerator: Regenerator
  private let writer: ReplayWriter
  private let teacher: Fingerprint
  private let seed: UInt64
  /// The complete versions with the number of samples before each, oldest first.
  private var versions: [(reader: ReplayReader, first: Int)] = []

  /// - Parameters:
  ///   - directory: The run's replay store; made where missing.
  ///   - resumingAfter: Newest version that belongs to the checkpoint resumed from. Later ones were published by steps
  ///     that will be taken again, to the same bytes, and are taken back.
  init(regenerator: Regenerator, directory: String, teacher: Fingerprint, seed: UInt64, resumingAfter version: Int)
    throws
  {
    self.regenerator = regenerator
    self.teacher = teacher
    self.seed = seed
    writer = try ReplayWriter(directory: directory)
    try writer.rollBack(to: version)
    for version in try writer.store.versions() { try adopt(version.number) }
  }

  /// Newest published version, 0 before the first.
  var version: Int { versions.last?.reader.version.number ?? 0 }

  /// Samples over all versions, oldest first: the index space of ``draw(_:)``.
  var count: Int { versions.last.map { $0.first + $0.reader.count } ?? 0 }

  /// Lets the student answer, publishes the scored answers as the next version and returns them.
  func generate(prompts: [[Int32]], step: Int) throws -> [TrainingExample] {
    let stream = RandomStream(seed: seed, name: "regeneration").split(UInt64(step))
    let samples = try regenerator.respond(to: prompts, stream: stream, birthStep: step)
    let origin = regenerator.origin(teacher: teacher, seed: seed, step: step)
    let version = try writer.publish(origin) { try $0.append(samples) }
    try adopt(version.number)
    return samples.enumerated().map { index, sample in
      Self.example(sample, name: "replay version \(version.number), sample \(index)")
    }
  }

  /// Samples at indices over all versions.
  func draw(_ indices: [Int]) throws -> [TrainingExample] {
    try indices.map { index in
      let place = versions[(versions.lastIndex { $0.first <= index }) ?? 0]
      let sample = try place.reader.sample(at: index - place.first)
      return Self.example(
        sample, name: "replay version \(place.reader.version.number), sample \(index - place.first)")
    }
  }

  private func adopt(_ number: Int) throws {
    versions.append((reader: try writer.store.open(version: number), first: count))
  }

  private static func example(_ replayed: ReplaySample, name: String) -> TrainingExample {
    TrainingExample(
      sequence: TokenSequence(tokenIDs: replayed.scored.tokenIDs, promptLength: replayed.scored.promptLength),
      signal: replayed.scored.signal, isStudentOutput: true, name: name)
  }
}
