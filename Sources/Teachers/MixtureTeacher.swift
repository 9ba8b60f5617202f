public import Fingerprints
public import LogitCache
public import Sequences
public import TeacherSignal

/// Whoever says how the token after a mixture is distributed: it has to see embeddings, which a server is not given.
public protocol MixtureTeacher: Teacher {
  /// What it says at the scored positions of mixtures, in their order. They are asked about together.
  ///
  /// - Throws: as ``Teacher/signals(for:)``.
  func lessons(of mixtures: [AskedMixture]) throws -> [Lesson]
}

/// Two samples to ask about as one.
public struct AskedMixture: Sendable {
  public let first: AskedSequence
  public let second: AskedSequence
  /// Of the first one.
  public let share: Float

  public init(_ first: AskedSequence, _ second: AskedSequence, share: Float) {
    self.first = first
    self.second = second
    self.share = share
  }

  /// What a model is given.
  public func mixture() throws -> SequenceMixture {
    try SequenceMixture(first.sequence(), second.sequence(), share: share)
  }

  /// What its record says that the teacher was given.
  public func input(_ keys: CacheManifest.ContentKeys) -> SampleInput {
    .mixture(first: keys.key(first.contentKey), second: keys.key(second.contentKey), share: share)
  }

  /// What its record is called.
  public func key(_ mixture: SequenceMixture, _ keys: CacheManifest.ContentKeys) -> Fingerprint {
    keys.key(mixture.sequence.fingerprint, input: input(keys))
  }
}
