import Glibc

/// The small codec: about 150 bytes a position at top-k 64 and a vocabulary of 50 thousand.
///
/// A position is, in bits:
///
///     12  cell of the least probable id          4  Rice parameter
///     k x low bits of the ids, ascending; then their high parts in unary, by difference (Elias-Fano)
///     k x (cell, refinement) in the order of the ids
///     32  tail log-prob (fp32)                  32  target log-prob (fp32)
///
/// Values. A log-prob falls into a cell of 1/4 nat. Cells are Rice-coded by their distance from the lowest, since ranks
/// crowd near the bottom roughly geometrically. An error d in the log-prob of an id of probability p costs p d^2 / 2 of
/// KL, so a likely id is refined until p d^2 is even over all ids: at top-k 64 by 5 bits at p = 1, one fewer every 5.5
/// cells (a factor of four in p), none below p = 1e-3. A doubled top-k buys half a bit an id, which keeps the sum over
/// the row below 1e-4 at every top-k (8.6e-5 measured on the flattest rows). A log-prob is off by at most 1/8 nat, and
/// at top-k 64 by 1/256 where p is near 1.
///
/// Rank. Sorting by id saves log2(k!) bits; the values give the order back, equal ones by ascending id.
///
/// Sum. Decoded log-probs of a row are shifted together so that they and the exact tail sum to one again.
struct CompactCodec: PositionCodec {
  static let tag: UInt8 = 1
  static let version = 1
  static let kinds: Set<SparseSignal.Kind> = [.topK, .derivedTail, .nucleus, .dense]
  static let checksPositions = true

  static let cellBits = 12
  static let lastCell = 1 << cellBits - 1
  static let riceBits = 4
  /// Largest common shift of a row: beyond half a cell, the sum was not one to begin with.
  static let largestShift: Double = 0.125

  let entries: Int
  private let vocabularySize: Int
  /// Refinement at p = 1, in units of 1/22 bit.
  private let precision: Int
  private let levels: LevelTable
  /// A level above an id in one word: sorting the words ranks a row, equal levels by id.
  private var row: [UInt64]

  /// Bits of an id that Elias-Fano stores as they are: floor(log2(V / k)).
  private let lowBits: Int
  private var largestHigh: Int { (vocabularySize - 1) >> lowBits }

  var leastBits: Int { Self.cellBits + Self.riceBits + entries * (lowBits + 2) + 64 }
  /// Elias-Fano spends log2(V / k) + 2 bits an id, and values take about 8.
  var expectedBits: Int { entries * (bitsNeeded(for: vocabularySize / entries) + 2 + 8) + 64 }

  init(entries: Int, vocabularySize: Int) {
    self.entries = entries
    self.vocabularySize = vocabularySize
    precision = 11 * max(4, bitsNeeded(for: entries)) + 65
    lowBits = Int.bitWidth - 1 - (vocabularySize / entries).leadingZeroBitCount
    levels = LevelTable(levelsPerCell: 1 << (precision / 22 + 1))
    row = [UInt64](repeating: 0, count: entries)
  }

  private func refinement(ofCell cell: Int) -> Int { max(0, (precision - 4 * cell) / 22) }
  /// Refinement of the most probable cell; levels are counted in half-steps of it, so that centres are whole numbers.
  private var finest: Int { precision / 22 }
  private var levelsPerCell: Int { 1 << (finest + 1) }
}

// MARK: - Encoding

extension CompactCodec {
  private struct Entry {
    var id: Int32
    var cell: Int
    var fraction: UInt32
  }

  func encode(_ signal: SparseSignal, _ position: Int, into writer: inout BitWriter) {
    var entries = signal.entries(at: position).map { quantize(id: signal.ids[$0], logProb: signal.logProbs[$0]) }
    entries.sort { $0.id < $1.id }
    let lowest = entries.reduce(0) { max($0, $1.cell) }
    let rice = Self.bestRice(entries, lowest: lowest)
    writer.write(UInt32(lowest), bits: Self.cellBits)
    writer.write(UInt32(rice), bits: Self.riceBits)
    encodeIDs(entries, into: &writer)
    for entry in entries {
      let distance = lowest - entry.cell
      writer.writeUnary(distance >> rice)
      writer.write(UInt32(distance & (1 << rice - 1)), bits: rice)
      writer.write(entry.fraction, bits: refinement(ofCell: entry.cell))
    }
    writer.write(signal.tailLogProb[position])
    writer.write(signal.targetLogProb[position])
  }

  /// The cell of a log-prob and its place inside; what lies below the last cell goes to that cell's end.
  private func quantize(id: Int32, logProb: Float) -> Entry {
    let depth = min(max(0, -logProb) * 4, Float(Self.lastCell + 1).nextDown)
    let cell = Int(depth)
    let steps = Float(1 << refinement(ofCell: cell))
    return Entry(id: id, cell: cell, fraction: UInt32((depth - Float(cell)) * steps))
  }

  private static func bestRice(_ entries: [Entry], lowest: Int) -> Int {
    func cost(_ rice: Int) -> Int { entries.reduce(0) { $0 + (lowest - $1.cell) >> rice + 1 + rice } }
    return (0..<cellBits).min { cost($0) < cost($1) }!
  }

  private func encodeIDs(_ entries: [Entry], into writer: inout BitWriter) {
    let mask: Int32 = 1 << Int32(lowBits) - 1
    for entry in entries { writer.write(UInt32(entry.id & mask), bits: lowBits) }
    var high = 0
    for entry in entries {
      writer.writeUnary(Int(entry.id) >> lowBits - high)
      high = Int(entry.id) >> lowBits
    }
  }
}

// MARK: - Decoding

extension CompactCodec {
  mutating func decode(_ position: Int, into signal: inout SparseSignal, from reader: inout BitReader) throws {
    let lowest = Int(reader.read(Self.cellBits)), rice = Int(reader.read(Self.riceBits))
    try decodeIDs(position, from: &reader)
    var sum = 0.0
    for index in row.indices {
      let distance = reader.readUnary(limit: lowest >> rice) << rice | Int(reader.read(rice))
      guard distance <= lowest, !reader.isOverrun else {
        throw SparseSignal.damage("a log-prob lies outside its cells", position)
      }
      let cell = lowest - distance, bits = refinement(ofCell: cell)
      let within = (2 * Int(reader.read(bits)) + 1) << (finest - bits)
      row[index] |= UInt64(cell * levelsPerCell + within) << 32
      sum += levels.probability(cell: cell, within: within)
    }
    row.sort()
    let tail = reader.readFloat(), target = reader.readFloat()
    guard !reader.isOverrun else { throw SparseSignal.damage("the record ends too early", position) }
    try SparseSignal.validate(tail, "tail", position)
    try SparseSignal.validate(target, "target", position)
    let shift = Self.shift(sum: sum, tail: tail), natsPerLevel = 0.25 / Float(levelsPerCell)
    for word in row {
      signal.ids.append(Int32(truncatingIfNeeded: word))
      signal.logProbs.append(min(0, shift - Float(word >> 32) * natsPerLevel))
    }
    signal.endPosition(tail: tail, target: target)
  }

  /// Reads the ids of a row in ascending order, each checked against the vocabulary and the one before.
  private mutating func decodeIDs(_ position: Int, from reader: inout BitReader) throws {
    for index in row.indices { row[index] = UInt64(reader.read(lowBits)) }
    var high = 0, previous = -1
    for index in row.indices {
      high += reader.readUnary(limit: largestHigh - high)
      let id = high << lowBits | Int(row[index])
      guard id > previous, id < vocabularySize, !reader.isOverrun else {
        throw SparseSignal.damage("token id \(id) after \(previous) in a vocabulary of \(vocabularySize)", position)
      }
      row[index] = UInt64(id)
      previous = id
    }
  }

  /// What to add to every log-prob of a row whose probabilities sum to `sum`, beside a tail; 0 where the row cannot have
  /// been a distribution.
  private static func shift(sum: Double, tail: Float) -> Float {
    let shift = log(-expm1(Double(tail)) / sum)
    return abs(shift) <= largestShift ? Float(shift) : 0
  }
}

/// Probabilities of quantised log-probs from two tables, in place of an exponential per id.
private struct LevelTable: Sendable {
  private static let ofCell = (0...CompactCodec.lastCell).map { exp(-Double($0) / 4) }
  private let ofLevel: [Double]

  init(levelsPerCell: Int) {
    ofLevel = (0..<levelsPerCell).map { exp(-Double($0) / Double(4 * levelsPerCell)) }
  }

  func probability(cell: Int, within: Int) -> Double { Self.ofCell[cell] * ofLevel[within] }
}
