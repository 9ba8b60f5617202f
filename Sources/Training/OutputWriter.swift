package import Fingerprints
import RandomStreams
package import Replay

/// Lets the student of a run answer prompts, and publishes what it wrote, with what the teacher says of it, as the next version of
/// the run's replay store: the same bytes whichever process does it.
package final class OutputWriter {
  package let writer: ReplayWriter
  private let regenerator: Regenerator
  private let data: Fingerprint
  private let seed: UInt64
  private let lengths: ResponseLengths

  /// - Parameters:
  ///   - data: Fingerprint of the data set that prompts are taken from.
  ///   - seed: Of the run.
  ///   - lengths: Of the responses of each step.
  package init(
    _ regenerator: Regenerator, to writer: ReplayWriter, data: Fingerprint, seed: UInt64, lengths: ResponseLengths
  ) {
    self.regenerator = regenerator
    self.writer = writer
    self.data = data
    self.seed = seed
    self.lengths = lengths
  }

  /// Answers the prompts of a step, or of the round that begins with it.
  ///
  /// - Parameters:
  ///   - step: The first that the prompts are those of; it names the stream that is drawn from.
  ///   - writingStep: The student's own.
  ///   - total: Steps of the run.
  /// - Throws: a `Diagnostic` of the store or of whoever scores; `Interrupted`, and then nothing is published.
  package func write(
    _ prompts: [[Int32]], of step: Int, at writingStep: Int, of total: Int
  ) throws -> (version: ReplayVersion, samples: [ReplaySample]) {
    let stream = RandomStream(seed: seed, name: "regeneration").split(UInt64(step))
    let tokens = lengths.tokens(step: writingStep, of: total)
    let samples = try regenerator.respond(
      to: prompts, stream: stream, birthStep: writingStep, maximumNewTokens: tokens)
    let origin = regenerator.origin(data: data, seed: seed, step: writingStep, maximumNewTokens: tokens)
    return (try writer.publish(origin) { try $0.append(samples) }, samples)
  }
}
