/// The lossless codec: per position its ids of ceil(log2 V) bits and fp32 log-probs in their order, the fp32 inclusion
/// log-probs of a sample, then the fp32 tail and target.
struct ExactCodec: PositionCodec {
  static let tag: UInt8 = 2
  static let version = 1
  static let kinds = Set(SparseSignal.Kind.allCases)
  static let checksPositions = false

  let entries: Int
  private let idBits: Int

  var leastBits: Int { entries * (idBits + 32) + 64 }
  var expectedBits: Int { leastBits }

  init(entries: Int, vocabularySize: Int) {
    self.entries = entries
    idBits = bitsNeeded(for: vocabularySize)
  }

  func encode(_ signal: SparseSignal, _ position: Int, into writer: inout BitWriter) {
    let row = signal.entries(at: position)
    for entry in row { writer.write(UInt32(signal.ids[entry]), bits: idBits) }
    for entry in row { writer.write(signal.logProbs[entry]) }
    if signal.kind == .sample { for entry in row { writer.write(signal.inclusionLogProbs[entry]) } }
    writer.write(signal.tailLogProb[position])
    writer.write(signal.targetLogProb[position])
  }

  func decode(_ position: Int, into signal: inout SparseSignal, from reader: inout BitReader) throws {
    for _ in 0..<entries { signal.ids.append(Int32(bitPattern: reader.read(idBits))) }
    for _ in 0..<entries { signal.logProbs.append(reader.readFloat()) }
    if signal.kind == .sample { for _ in 0..<entries { signal.inclusionLogProbs.append(reader.readFloat()) } }
    let tail = reader.readFloat()
    signal.endPosition(tail: tail, target: reader.readFloat())
  }
}
