/// Ids of words encoded before, in a table of one fixed size: each word has a place of four lines, where the newest word
/// takes over from the oldest. A line is one of the processor's cache, so that finding a word mostly costs one look into
/// memory, however many were met.
@safe struct WordCache: Sendable {
  /// Longest word that is kept, in bytes; longer ones hardly ever come again.
  static let maximumWordLength = 32
  /// Most ids of a word that is kept.
  private static let maximumIDs = 7
  /// Lines of a place, newest first.
  private static let ways = 4
  /// Places: 2^13 of them, 2^15 lines of 64 bytes, are 2 MiB.
  private static let placeBits: UInt64 = 13

  /// A word's bytes, then zeros.
  private struct Word: Equatable {
    var parts: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init(_ bytes: [UInt8], _ range: Range<Int>) {
      let count = range.count
      parts.0 = Self.part(bytes, range.lowerBound, count)
      if count > 8 { parts.1 = Self.part(bytes, range.lowerBound + 8, count - 8) }
      if count > 16 { parts.2 = Self.part(bytes, range.lowerBound + 16, count - 16) }
      if count > 24 { parts.3 = Self.part(bytes, range.lowerBound + 24, count - 24) }
    }

    /// Up to eight bytes from a place on, the first one lowest.
    private static func part(_ bytes: [UInt8], _ start: Int, _ count: Int) -> UInt64 {
      if start + 8 <= bytes.count {
        let whole = unsafe bytes.withUnsafeBytes { buffer in
          unsafe UInt64(littleEndian: buffer.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        }
        return count >= 8 ? whole : whole & (1 << UInt64(8 * count) - 1)
      }
      var part: UInt64 = 0
      for index in stride(from: start + min(count, 8) - 1, through: start, by: -1) {
        part = part << 8 | UInt64(bytes[index])
      }
      return part
    }

    static func == (left: Word, right: Word) -> Bool { left.parts == right.parts }

    /// The first line of the word's place in the table.
    func place(length: Int) -> Int {
      var hash = (parts.0 ^ UInt64(length)) &* 0x9e37_79b9_7f4a_7c15
      hash = (hash ^ hash >> 32 ^ parts.1) &* 0xbf58_476d_1ce4_e5b9
      hash = (hash ^ hash >> 29 ^ parts.2) &* 0x94d0_49bb_1331_11eb
      hash = (hash ^ hash >> 32 ^ parts.3) &* 0x9e37_79b9_7f4a_7c15
      return Int(hash >> (64 - placeBits)) * ways
    }
  }

  private struct Line: Sendable {
    var word = Word([], 0..<0)
    /// Zero where nothing is kept.
    var length: UInt8 = 0
    var count: UInt8 = 0
    var ids: [7 of Int32] = .init(repeating: 0)
  }

  private var lines: [Line] = []

  /// Appends the ids of a word; false where it is not known.
  func append(_ bytes: [UInt8], _ range: Range<Int>, to output: inout [Int32]) -> Bool {
    if lines.isEmpty { return false }
    let word = Word(bytes, range)
    let place = word.place(length: range.count)
    // Without copies of lines.
    let lines = lines.span.extracting(place..<place + Self.ways)
    for way in 0..<Self.ways where lines[way].word.parts.0 == word.parts.0 {
      guard lines[way].word == word, Int(lines[way].length) == range.count else { continue }
      for index in 0..<Int(lines[way].count) { output.append(lines[way].ids[index]) }
      return true
    }
    return false
  }

  /// Keeps the ids of a word, where they are few.
  mutating func keep(_ bytes: [UInt8], _ range: Range<Int>, _ found: ArraySlice<Int32>) {
    guard found.count <= Self.maximumIDs else { return }
    // Made with the first word: a tokenizer that is only looked at takes no memory for it.
    if lines.isEmpty { lines = [Line](repeating: Line(), count: Self.ways << Int(Self.placeBits)) }
    var line = Line()
    line.word = Word(bytes, range)
    line.length = UInt8(range.count)
    line.count = UInt8(found.count)
    for (index, id) in found.enumerated() { line.ids[index] = id }
    let place = line.word.place(length: range.count)
    for way in stride(from: place + Self.ways - 1, to: place, by: -1) { lines[way] = lines[way - 1] }
    lines[place] = line
  }
}
