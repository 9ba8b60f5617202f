import Sequences

extension SignalCodec {
  static let sampleMagic: UInt8 = 0xD6
  static let sampleVersion: UInt8 = 1

  /// A sample's record: magic byte, version, then token count, prompt length and bits per token id as variable-length
  /// integers, the ids at that width, and the record of the signal.
  ///
  /// - Throws: as ``encode(_:vocabularySize:)-(SparseSignal,_)``, and for a negative token id. The sample's own ids may lie outside the
  ///   vocabulary of the signal.
  public func encode(_ sample: ScoredSample, vocabularySize: Int) throws -> [UInt8] {
    var writer = BitWriter(startingWith: [Self.sampleMagic, Self.sampleVersion])
    let tokenIDs = sample.sequence.tokenIDs
    guard let promptLength = sample.sequence.promptLength else {
      throw Self.damaged("its scored positions are not one run at its end")
    }
    if let negative = tokenIDs.first(where: { $0 < 0 }) {
      throw Self.damaged("the sample holds the token id \(negative)")
    }
    let bits = bitsNeeded(for: Int(tokenIDs.max() ?? 0) + 1)
    writer.writeVariable(tokenIDs.count)
    writer.writeVariable(promptLength)
    writer.writeVariable(bits)
    for id in tokenIDs { writer.write(UInt32(id), bits: bits) }
    writer.align()
    return try writer.bytes + encode(sample.signal, vocabularySize: vocabularySize)
  }

  /// The sample of a record.
  ///
  /// - Throws: a `Diagnostic` of category `failure`, as ``decode(_:vocabularySize:)-(UnsafeRawBufferPointer,_)``.
  public static func decodeSample(_ bytes: UnsafeRawBufferPointer, vocabularySize: Int) throws -> ScoredSample {
    var reader = unsafe BitReader(bytes)
    guard reader.read(8) == UInt32(sampleMagic), reader.read(8) == UInt32(sampleVersion) else {
      throw damaged("does not begin with the mark of a sample of version \(sampleVersion)")
    }
    let count = reader.readVariable(), promptLength = reader.readVariable(), bits = reader.readVariable()
    guard !reader.isOverrun, bits <= 31, promptLength <= count, count <= reader.remaining / max(bits, 1) else {
      throw damaged("\(count) tokens of \(bits) bits with a prompt of \(promptLength) do not fit")
    }
    let tokenIDs = (0..<count).map { _ in Int32(reader.read(bits)) }
    guard reader.align() else { throw damaged("bits are set behind its tokens") }
    let signal = try unsafe decode(reader.rest(), vocabularySize: vocabularySize)
    let sequence = TokenSequence(tokenIDs: tokenIDs, promptLength: promptLength)
    let scored = sequence.scoredPositions
    guard scored.count == signal.positionCount else {
      throw damaged("\(signal.positionCount) positions where the sample has \(scored.count)")
    }
    return ScoredSample(sequence, signal: signal)
  }

  /// ``decodeSample(_:vocabularySize:)-(UnsafeRawBufferPointer,_)`` over an array.
  public static func decodeSample(_ bytes: [UInt8], vocabularySize: Int) throws -> ScoredSample {
    try unsafe bytes.withUnsafeBytes { buffer in try unsafe decodeSample(buffer, vocabularySize: vocabularySize) }
  }
}
