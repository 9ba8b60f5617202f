import Fingerprints
import RandomStreams
import Replay
import TeacherSignal
import TestSupport

/// The origin of a version of a run at a step.
func replayOrigin(step: Int = 100) -> ReplayOrigin {
  ReplayOrigin(
    student: Fingerprint(of: "student \(step)"), teacher: Fingerprint(of: "teacher"),
    decoding: .init(temperature: 0.7, topP: 0.95, topK: 0, maximumNewTokens: 64), seed: .max, step: step, codec: .exact,
    topK: 8, vocabularySize: 300, tokenizer: Fingerprint(of: "tokenizer"), data: Fingerprint(of: "data \(step)"),
    endOfText: [0, 7])
}

/// Seeded samples that fit ``replayOrigin(step:)``.
func replaySamples(_ count: Int, step: Int = 100) -> [ReplaySample] {
  var stream = RandomStream(seed: UInt64(step), name: "replay")
  return (0..<count).map { index in
    let length = 3 + stream.below(30)
    return ReplaySample(
      scored: SyntheticTeacher(vocabularySize: 300, topK: 8).sample(length: length, promptLength: 2, &stream),
      endedByEOS: index % 3 == 0, birthStep: step)
  }
}

extension ReplayWriter {
  @discardableResult
  func publish(_ samples: [ReplaySample], of origin: ReplayOrigin) throws -> ReplayVersion {
    try publish(origin) { try $0.append(samples) }
  }
}
