/// The lossless codec: per position `topK` ids of ceil(log2 V) bits and `topK` fp32 log-probs in rank order, then the
/// fp32 tail and target.
struct ExactCodec {
  let topK: Int
  let vocabularySize: Int

  private var idBits: Int { bitsNeeded(for: vocabularySize) }

  func encode(_ signal: SparseSignal, into writer: inout BitWriter) {
    for position in 0..<signal.positionCount {
      let row = position * topK..<(position + 1) * topK
      for entry in row { writer.write(UInt32(signal.ids[entry]), bits: idBits) }
      for entry in row { writer.write(signal.logProbs[entry]) }
      writer.write(signal.tailLogProb[position])
      writer.write(signal.targetLogProb[position])
    }
  }

  func decode(positions: Int, from reader: inout BitReader) throws -> SparseSignal {
    try SignalCodec.check(positions: positions, leastBits: topK * (idBits + 32) + 64, reader: reader)
    var signal = SparseSignal(topK: topK)
    signal.ids.reserveCapacity(positions * topK)
    signal.logProbs.reserveCapacity(positions * topK)
    for _ in 0..<positions {
      for _ in 0..<topK { signal.ids.append(Int32(bitPattern: reader.read(idBits))) }
      for _ in 0..<topK { signal.logProbs.append(reader.readFloat()) }
      signal.tailLogProb.append(reader.readFloat())
      signal.targetLogProb.append(reader.readFloat())
    }
    try signal.validate(vocabularySize: vocabularySize)
    return signal
  }
}
