import Fingerprints
import LogitCache
import RandomStreams
import TeacherSignal
import TestSupport

let teacher = SyntheticTeacher(vocabularySize: 300, topK: 8)

func manifest(codec: SignalCodec = .exact) -> CacheManifest {
  CacheManifest(
    teacher: Fingerprint(of: "teacher"), teacherPath: "models/teacher", precision: "fp32", kernels: "these",
    tokenizer: Fingerprint(of: "tokenizer"), codec: codec, topK: teacher.topK, vocabularySize: teacher.vocabularySize)
}

/// Seeded samples of 2 to 40 tokens.
func samples(_ count: Int, name: String = "samples") -> [ScoredSample] {
  var stream = RandomStream(seed: 1, name: name)
  return (0..<count).map { _ in
    let length = 2 + stream.below(39)
    return teacher.sample(length: length, promptLength: stream.below(length), &stream)
  }
}

extension ScoredSample {
  /// The key of this sample in a cache of ``manifest(codec:)``.
  var key: Fingerprint { manifest().key(sequence) }
}
