import Diagnostics
import Fingerprints
import LMDB
public import TeacherSignal

/// A prompt with a response the student wrote, scored by the teacher.
public struct ReplaySample: Sendable, Equatable {
  public var scored: ScoredSample
  /// True where the response ended by itself, false where it was cut at the limit of tokens.
  public var endedByEOS: Bool
  /// Training step of the student that wrote it.
  public var birthStep: Int

  public init(scored: ScoredSample, endedByEOS: Bool, birthStep: Int) {
    precondition(birthStep >= 0, "a sample cannot be born at step \(birthStep)")
    self.scored = scored
    self.endedByEOS = endedByEOS
    self.birthStep = birthStep
  }
}

// MARK: - On disk

extension ReplaySample {
  private static let headerBytes = 16 + 9

  /// 16 bytes XXH3-128 of what follows, 1 byte ended-by-eos, 8 bytes birth step (big-endian), the sample's own record.
  func encoded(_ origin: ReplayOrigin) throws -> [UInt8] {
    precondition(
      scored.signal.largestCount <= origin.topK,
      "a signal of \(scored.signal.largestCount) entries does not belong into a version of top-k \(origin.topK)")
    let body =
      [endedByEOS ? 1 : 0] + Key.number(UInt64(birthStep))
      + (try origin.codec.encode(scored, vocabularySize: origin.vocabularySize))
    return Fingerprint(of: body).bytes + body
  }

  /// - Parameters:
  ///   - topK: Most entries at a position of the version's signals.
  ///   - vocabularySize: Number of ids that they are over.
  /// - Throws: a `Diagnostic` of category `failure` where the bytes are damaged.
  init(_ bytes: UnsafeRawBufferPointer, topK: Int, vocabularySize: Int) throws {
    guard bytes.count > Self.headerBytes else { throw Self.damage("it has only \(bytes.count) bytes") }
    let computed = unsafe Fingerprint(of: UnsafeRawBufferPointer(rebasing: bytes[16...]))
    let stored = unsafe Fingerprint(high: Key.number(in: bytes)!, low: Key.number(in: bytes, at: 8)!)
    guard stored == computed else { throw Self.damage("its checksum is \(computed) where \(stored) is stored") }
    guard let step = unsafe Int(exactly: Key.number(in: bytes, at: 17)!), unsafe bytes[16] <= 1 else {
      throw Self.damage("its header is not that of a sample")
    }
    let scored = try unsafe SignalCodec.decodeSample(
      UnsafeRawBufferPointer(rebasing: bytes[Self.headerBytes...]), vocabularySize: vocabularySize)
    guard scored.signal.largestCount <= topK else {
      throw Self.damage("a position has \(scored.signal.largestCount) entries, its version at most \(topK)")
    }
    self.init(scored: scored, endedByEOS: unsafe bytes[16] == 1, birthStep: step)
  }

  private static func damage(_ what: String) -> Diagnostic { .failure("the sample is damaged: \(what)") }
}
