import Sequences

/// Records of version 1, for caches that began with them: one run of scored positions that ends the sequence, the top-k of
/// as many ids at each position, and nothing beside.
extension SignalCodec {
  /// A sample's record of version 1.
  ///
  /// - Parameter topK: Entries of every position, also where there is none.
  /// - Throws: as ``encode(_:vocabularySize:)-(ScoredSample,_)``, and where the sample has what version 1 cannot hold.
  package func encodeVersion1(_ sample: ScoredSample, topK: Int, vocabularySize: Int) throws -> [UInt8] {
    let signal = sample.signal
    let isPlain =
      sample.positions == sample.sequence.scoredPositions && sample.columns.isEmpty && sample.input == .tokens
      && signal.kind == .topK && (0..<signal.positionCount).allSatisfy { signal.entries(at: $0).count == topK }
    guard isPlain, let promptLength = sample.sequence.promptLength else {
      throw Self.damaged("the sample has what a cache of version 1 cannot hold")
    }
    let tokenIDs = sample.sequence.tokenIDs
    let bits = try Self.bits(of: tokenIDs)
    var writer = BitWriter(startingWith: [Self.sampleMagic, 1])
    writer.writeVariable(tokenIDs.count)
    writer.writeVariable(promptLength)
    writer.writeVariable(bits)
    for id in tokenIDs { writer.write(UInt32(id), bits: bits) }
    writer.align()
    return try writer.bytes + encode(signal, topK: topK, vocabularySize: vocabularySize)
  }

  private func encode(_ signal: SparseSignal, topK: Int, vocabularySize: Int) throws -> [UInt8] {
    try signal.validate(vocabularySize: vocabularySize)
    var writer = BitWriter(startingWith: [Self.magic, positions.tag, 1])
    writer.writeVariable(topK)
    writer.writeVariable(signal.positionCount)
    writer.writeVariable(vocabularySize)
    let codec = positions.init(entries: topK, vocabularySize: vocabularySize)
    for position in 0..<signal.positionCount { codec.encode(signal, position, into: &writer) }
    writer.align()
    return writer.bytes
  }
}

extension BitReader {
  /// The head of a sample of version 1: number of tokens, prompt length, bits of an id, the ids.
  mutating func readSequenceOfVersion1() throws -> TokenSequence {
    let count = readVariable(), promptLength = readVariable(), bits = readVariable()
    guard promptLength <= count else {
      throw SignalCodec.damaged("a prompt of \(promptLength) does not fit \(count) tokens")
    }
    return TokenSequence(tokenIDs: try readTokenIDs(count: count, bits: bits), promptLength: promptLength)
  }
}
