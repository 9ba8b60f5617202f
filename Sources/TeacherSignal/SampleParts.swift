import Fingerprints
import Sequences

/// The parts of a sample's record, each written and read; every part ends on a byte's border.
extension BitWriter {
  /// Number of runs; for each the gap before it and its length.
  mutating func write(_ positions: ScoredPositions) {
    writeVariable(positions.runs.count)
    var end = 0
    for run in positions.runs {
      writeVariable(run.lowerBound - end)
      writeVariable(run.count)
      end = run.upperBound
    }
  }

  /// A tag; then 16 bytes of each sample's key and the numbers.
  mutating func write(_ input: SampleInput) {
    switch input {
    case .tokens: write(0, bits: 8)
    case .mixture(let first, let second, let share):
      write(1, bits: 8)
      for byte in first.bytes + second.bytes { write(UInt32(byte), bits: 8) }
      write(share)
    case .twin(let of, let perturbation, let size, let seed):
      write(2, bits: 8)
      for byte in of.bytes { write(UInt32(byte), bits: 8) }
      write(text: perturbation)
      write(size)
      write(UInt32(truncatingIfNeeded: seed), bits: 32)
      write(UInt32(truncatingIfNeeded: seed >> 32), bits: 32)
    }
  }

  /// Name, extent and element as tags, width, the values.
  mutating func write(_ column: Column) {
    write(text: column.name)
    write(column.extent == .position ? 0 : 1, bits: 8)
    write(column.element == .float32 ? 0 : 1, bits: 8)
    writeVariable(column.width)
    for value in column.values {
      switch column.element {
      case .float32: write(value)
      case .bfloat16: write(UInt32(value.bfloat16Bits), bits: 16)
      }
    }
  }

  private mutating func write(text: String) {
    writeVariable(text.utf8.count)
    for byte in text.utf8 { write(UInt32(byte), bits: 8) }
  }
}

extension BitReader {
  /// So many ids of so many bits each, and zeros to the next byte.
  mutating func readTokenIDs(count: Int, bits: Int) throws -> [Int32] {
    guard !isOverrun, bits <= 31, count <= remaining / max(bits, 1) else {
      throw SignalCodec.damaged("\(count) tokens of \(bits) bits do not fit")
    }
    var tokenIDs: [Int32] = []
    tokenIDs.reserveCapacity(count)
    for _ in 0..<count { tokenIDs.append(Int32(read(bits))) }
    guard align() else { throw SignalCodec.damaged("bits are set behind its tokens") }
    return tokenIDs
  }

  /// Ascending runs below `end`.
  mutating func readPositions(before end: Int) throws -> ScoredPositions {
    let count = readVariable()
    guard count <= remaining / 16 else { throw SignalCodec.damaged("\(count) runs of positions do not fit") }
    var runs: [Range<Int>] = []
    var place = 0
    for index in 0..<count {
      let gap = readVariable(), length = readVariable()
      guard length > 0, gap > 0 || index == 0, gap <= end - place, length <= end - place - gap, !isOverrun else {
        throw SignalCodec.damaged("a run of \(length) positions after \(place + gap) lies outside of \(end)")
      }
      runs.append(place + gap..<place + gap + length)
      place += gap + length
    }
    return ScoredPositions(runs: runs)
  }

  mutating func readInput() throws -> SampleInput {
    switch read(8) {
    case 1: return .mixture(first: readFingerprint(), second: readFingerprint(), share: try readNumber())
    case 2:
      let of = readFingerprint(), perturbation = try readText(), size = try readNumber()
      let low = UInt64(read(32))
      return .twin(of: of, perturbation: perturbation, size: size, seed: low | UInt64(read(32)) << 32)
    case let tag: throw SignalCodec.damaged("unknown input \(tag)")
    }
  }

  /// - Parameter positions: How many values a column of positions has.
  mutating func readColumns(positions: Int) throws -> [Column] {
    let count = readVariable()
    // A column has a name of one byte at least, two tags, a width and, where there are positions, values.
    guard count <= remaining / 40 else { throw SignalCodec.damaged("\(count) columns do not fit") }
    var columns: [Column] = []
    for _ in 0..<count {
      let name = try readText()
      let extent = read(8), element = read(8), width = readVariable()
      guard Column.isName(name), !columns.contains(where: { $0.name == name }), extent < 2, element < 2, width > 0
      else {
        throw SignalCodec.damaged("a column's name, kind or width is none, or comes twice")
      }
      let each = extent == 0 ? positions : 1, bits = element == 0 ? 32 : 16
      guard !isOverrun, width <= max(1, remaining / bits), each <= remaining / bits / width || each == 0 else {
        throw SignalCodec.damaged("the column \(name) of width \(width) does not fit")
      }
      var values: [Float] = []
      values.reserveCapacity(each * width)
      for _ in 0..<each * width {
        values.append(element == 0 ? try readNumber() : Float(bitPattern: read(16) << 16))
      }
      guard values.allSatisfy(\.isFinite) else { throw SignalCodec.damaged("the column \(name) is not finite") }
      columns.append(
        Column(
          name, extent == 0 ? .position : .sample, width: width, element: element == 0 ? .float32 : .bfloat16,
          values: values))
    }
    return columns
  }

  private mutating func readNumber() throws -> Float {
    let value = readFloat()
    guard value.isFinite, !isOverrun else { throw SignalCodec.damaged("a number is not finite") }
    return value
  }

  private mutating func readFingerprint() -> Fingerprint {
    func half() -> UInt64 { (0..<8).reduce(UInt64(0)) { word, _ in word << 8 | UInt64(read(8)) } }
    let high = half()
    return Fingerprint(high: high, low: half())
  }

  private mutating func readText() throws -> String {
    let count = readVariable()
    guard count <= SampleInput.longestName, count <= remaining / 8,
      let text = String(validating: (0..<count).map { _ in UInt8(read(8)) }, as: UTF8.self)
    else { throw SignalCodec.damaged("a name of \(count) bytes is none") }
    return text
  }
}
