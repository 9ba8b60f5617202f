import Fingerprints
public import JSON
public import LogitCache
public import Sequences
public import TeacherSignal

/// A teacher whose answers are kept: what the cache has is read, and what it has not is asked about, written, and read back.
///
/// Whoever learns from it sees a sample's signal as the cache's codec gives it back, the first time as every later one: a run
/// that fills the cache ends in the bytes of one that finds it full. Each call's new samples are durable when it returns.
public final class CachedThroughTeacher: Teacher {
  private let cached: CachedTeacher
  private let writer: LogitCacheWriter
  private let teacher: any Teacher
  /// Number of sequences that the teacher has been asked about.
  public private(set) var askedCount = 0

  /// - Parameters:
  ///   - writer: Of a cache whose manifest is that of the teacher's answers; see ``CacheManifest/init(_:codec:topK:)``.
  ///   - teacher: Who is asked; its signals can be kept.
  ///   - vocabulary: Number of leading ids that count; a signal with an id beyond them is refused.
  public init(_ writer: LogitCacheWriter, asking teacher: any Teacher, vocabulary: Int) {
    cached = CachedTeacher(writer.cache, vocabulary: vocabulary)
    self.writer = writer
    self.teacher = teacher
  }

  public var identity: TeacherIdentity { teacher.identity }
  public var parameterBytes: Int { teacher.parameterBytes }
  public var origin: JSONObject? { teacher.origin }
  public var columns: [ColumnDeclaration] { teacher.columns }

  /// - Throws: as the teacher that is asked and the cache do.
  public func signals(for sequences: [AskedSequence]) throws -> [Lesson] { try begin(sequences).value() }

  public var requestsAhead: Int { teacher.requestsAhead }

  public func begin(_ sequences: [AskedSequence]) throws -> PendingLessons {
    var unknown: [AskedSequence] = [], seen = Set<Fingerprint>()
    for asked in sequences {
      let key = try cached.key(asked)
      guard try !writer.cache.contains(key), seen.insert(key).inserted else { continue }
      unknown.append(asked)
    }
    guard !unknown.isEmpty else { return PendingLessons { [self] in try cached.signals(for: sequences) } }
    askedCount += unknown.count
    let pending = try teacher.begin(unknown)
    return PendingLessons { [self] in
      try writer.append(pending.value().map(\.kept))
      return try cached.signals(for: sequences)
    }
  }
}

extension CacheManifest {
  /// What a cache of a teacher's answers says of them.
  ///
  /// - Parameter topK: The most entries of a position.
  public init(_ teacher: any Teacher, codec: SignalCodec, topK: Int) {
    let identity = teacher.identity
    self.init(
      teacher: identity.model, teacherPath: identity.place, precision: identity.numerics.precision,
      kernels: identity.numerics.kernels, tokenizer: identity.tokenizer, codec: codec, topK: topK,
      vocabularySize: identity.vocabularySize)
    origin = teacher.origin
    declare(teacher.columns)
  }
}
