import Diagnostics

/// How a signal is written as bytes. A record names its codec and version, so a reader needs no other knowledge than
/// the vocabulary size, and damaged bytes are told from good ones.
///
/// Record: magic byte, codec, version, then top-k, position count and vocabulary size as variable-length integers, then
/// the codec's bits, least significant first, the last byte filled with zeros.
public enum SignalCodec: String, Sendable, CaseIterable {
  /// Sorted ids by Elias-Fano and log-probs quantised so that KL(teacher, cached) stays below 1e-4, fp32 tail and
  /// target: about 150 bytes a position at top-k 64 and a vocabulary of 50 thousand.
  case compact
  /// Packed ids in rank order and fp32 values: what comes out is bit for bit what went in.
  case exact

  /// Version of the bits this codec writes.
  public var version: Int { 1 }

  /// Name and version as manifests record them, such as `compact/1`.
  public var identifier: String { "\(rawValue)/\(version)" }

  static let magic: UInt8 = 0xD5
  private var tag: UInt8 { self == .compact ? 1 : 2 }

  /// The record of a signal.
  ///
  /// - Throws: a `Diagnostic` where the signal is not valid (see ``SparseSignal/validate(vocabularySize:)``), as after a
  ///   teacher that overflowed.
  /// - Precondition: top-k is at most `vocabularySize`.
  public func encode(_ signal: SparseSignal, vocabularySize: Int) throws -> [UInt8] {
    precondition(
      signal.topK <= vocabularySize, "top-k \(signal.topK) is more than the vocabulary of \(vocabularySize)")
    try signal.validate(vocabularySize: vocabularySize)
    var writer = BitWriter(startingWith: [Self.magic, tag, UInt8(version)])
    writer.writeVariable(signal.topK)
    writer.writeVariable(signal.positionCount)
    writer.writeVariable(vocabularySize)
    switch self {
    case .compact: CompactCodec(topK: signal.topK, vocabularySize: vocabularySize).encode(signal, into: &writer)
    case .exact: ExactCodec(topK: signal.topK, vocabularySize: vocabularySize).encode(signal, into: &writer)
    }
    writer.align()
    return writer.bytes
  }

  /// The signal of a record, written by whichever codec.
  ///
  /// - Throws: a `Diagnostic` of category `failure` for any bytes ``encode(_:vocabularySize:)-(SparseSignal,_)`` could not
  ///   have written for this vocabulary: it never reads outside `bytes` and never allocates more than a small multiple of
  ///   their size.
  public static func decode(_ bytes: UnsafeRawBufferPointer, vocabularySize: Int) throws -> SparseSignal {
    var reader = unsafe BitReader(bytes)
    guard reader.read(8) == UInt32(magic) else { throw damaged("does not begin with the mark of a signal") }
    let tag = reader.read(8), version = Int(reader.read(8))
    guard let codec = allCases.first(where: { UInt32($0.tag) == tag }) else { throw damaged("unknown codec \(tag)") }
    guard version == codec.version else {
      throw Diagnostic.failure(
        "version \(version) of codec \(codec.rawValue) is not known, only version \(codec.version)",
        remedy: "read it with the version of Decant that wrote it")
    }
    let topK = reader.readVariable(), positions = reader.readVariable(), vocabulary = reader.readVariable()
    guard !reader.isOverrun, vocabulary == vocabularySize else {
      throw damaged("its vocabulary has \(vocabulary) tokens, not \(vocabularySize)")
    }
    guard topK >= 1, topK <= vocabularySize else {
      throw damaged("top-k \(topK) is not in 1...\(vocabularySize)")
    }
    let signal: SparseSignal
    switch codec {
    case .compact:
      signal = try CompactCodec(topK: topK, vocabularySize: vocabulary).decode(positions: positions, from: &reader)
    case .exact:
      signal = try ExactCodec(topK: topK, vocabularySize: vocabulary).decode(positions: positions, from: &reader)
    }
    guard reader.align(), reader.remaining == 0, !reader.isOverrun else {
      throw damaged("\(reader.remaining) bits are left over at its end")
    }
    return signal
  }

  /// ``decode(_:vocabularySize:)-(UnsafeRawBufferPointer,_)`` over an array.
  public static func decode(_ bytes: [UInt8], vocabularySize: Int) throws -> SparseSignal {
    try unsafe bytes.withUnsafeBytes { buffer in try unsafe decode(buffer, vocabularySize: vocabularySize) }
  }

  static func damaged(_ what: String) -> Diagnostic { .failure("the signal's record is damaged: \(what)") }

  /// Refuses a position count that the bits left cannot hold, before anything is allocated for it.
  static func check(positions: Int, leastBits: Int, reader: BitReader) throws {
    guard positions <= reader.remaining / leastBits else {
      throw damaged("\(positions) positions do not fit in \(reader.remaining) bits")
    }
  }
}
