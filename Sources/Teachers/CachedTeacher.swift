import Diagnostics
import Fingerprints
public import LogitCache
public import Sequences
public import TeacherSignal

/// What a teacher said before, looked up in the cache that it was kept in.
public final class CachedTeacher: MixtureTeacher {
  public let identity: TeacherIdentity
  public let parameterBytes = 0
  public var columns: [ColumnDeclaration] { cache.manifest.columnDeclarations }
  private let cache: LogitCache
  /// Nil for a cache of version 1, whose keys are made from tokens.
  private let keys: CacheManifest.ContentKeys?
  /// Leading ids that the student shares with the teacher.
  private let vocabulary: Int

  /// - Parameter vocabulary: Number of leading ids that count; a signal with an id beyond them is refused.
  public init(_ cache: LogitCache, vocabulary: Int) {
    let manifest = cache.manifest
    identity = TeacherIdentity(
      model: manifest.teacher, numerics: .init(precision: manifest.precision, kernels: manifest.kernels.first ?? ""),
      tokenizer: manifest.tokenizer, vocabularySize: manifest.vocabularySize, place: cache.directory)
    self.cache = cache
    keys = manifest.keysNeedTokens ? nil : manifest.contentKeys
    self.vocabulary = vocabulary
  }

  /// The samples of the sequences' keys. Tokens are read from the records: the sequences themselves are made for a cache of
  /// version 1 alone, whose keys need them.
  ///
  /// - Throws: a `Diagnostic` where a sample is not there or is damaged, or its signal cannot be compared with.
  public func signals(for sequences: [AskedSequence]) throws -> [Lesson] {
    try sequences.map { asked in
      guard let sample = try cache.sample(key(asked)) else {
        throw Diagnostic.failure("the record of \(asked.name) has gone from the cache", remedy: "run precompute again")
      }
      try check(sample, asked)
      return Lesson(sample)
    }
  }

  /// The records of mixtures.
  ///
  /// - Throws: a `Diagnostic` where one is not there or is damaged, or its signal cannot be compared with.
  public func lessons(of mixtures: [AskedMixture]) throws -> [Lesson] {
    try mixtures.map { asked in
      let mixture = try asked.mixture()
      guard let keys, let sample = try cache.sample(asked.key(mixture, keys)) else {
        throw Diagnostic.input(
          "the mixture of \(asked.first.name) and \(asked.second.name) is not in the cache \(cache.directory)",
          field: "teacher.cache",
          remedy: "run precompute with the mixtures that the cache was made with, on these rows, until it is complete")
      }
      try check(sample, asked.first)
      return Lesson(mixture, .sparse(sample))
    }
  }

  /// What a sequence is called in the cache.
  func key(_ asked: AskedSequence) throws -> Fingerprint {
    try keys?.key(asked.contentKey) ?? cache.manifest.key(asked.sequence())
  }

  /// Refuses a signal that cannot be compared with, or with an id that the student does not have; a teacher's padding should
  /// never be among its top-k.
  private func check(_ sample: ScoredSample, _ asked: AskedSequence) throws {
    let signal = sample.signal
    guard signal.kind.isRanked else {
      throw Diagnostic.input(
        "the cached signal of \(asked.name) is of kind \(signal.kind.rawValue), which no objective takes",
        field: "teacher.cache", remedy: "train from a cache of top-k signals")
    }
    guard let id = signal.ids.first(where: { $0 >= vocabulary }) else { return }
    throw Diagnostic.input(
      "the cached signal of \(asked.name) has the token \(id), beyond the common vocabulary of \(vocabulary)",
      remedy: "run precompute with `vocabulary` \(vocabulary) into another folder")
  }
}
