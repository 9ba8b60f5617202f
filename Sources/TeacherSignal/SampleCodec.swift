import Sequences

extension SignalCodec {
  static let sampleMagic: UInt8 = 0xD6
  static let sampleVersion: UInt8 = 2

  /// A sample's record: magic byte, version, flags, kernels; its tokens and the positions that were asked about; what was
  /// selected of them, what the teacher was given and columns, where there are any; and the record of the signal.
  ///
  /// - Throws: as ``encode(_:vocabularySize:)-(SparseSignal,_)``, and for a negative token id or a column whose numbers are
  ///   not finite. The sample's own ids may lie outside the vocabulary of the signal.
  public func encode(_ sample: ScoredSample, vocabularySize: Int) throws -> [UInt8] {
    try Self.head(of: sample) + encode(sample.signal, vocabularySize: vocabularySize)
  }

  /// Everything but the signal.
  private static func head(of sample: ScoredSample) throws -> [UInt8] {
    let tokenIDs = sample.sequence.tokenIDs
    let bits = try Self.bits(of: tokenIDs)
    guard sample.input.isSound, Set(sample.columns.map(\.name)).count == sample.columns.count else {
      throw damaged("its input has a number or a name that cannot be kept, or two columns have one name")
    }
    var writer = BitWriter(startingWith: [sampleMagic, sampleVersion])
    let flags = SampleFlags(sample)
    writer.write(UInt32(flags.rawValue), bits: 8)
    writer.writeVariable(sample.kernels)
    writer.writeVariable(tokenIDs.count)
    writer.writeVariable(bits)
    for id in tokenIDs { writer.write(UInt32(id), bits: bits) }
    writer.align()
    writer.write(sample.sequence.scoredPositions)
    if flags.contains(.selection) { writer.write(sample.positions) }
    if flags.contains(.input) { writer.write(sample.input) }
    if flags.contains(.columns) {
      writer.writeVariable(sample.columns.count)
      for column in sample.columns {
        guard column.values.allSatisfy(\.isFinite) else {
          throw damaged("the column \(column.name) holds a number that is not finite")
        }
        writer.write(column)
      }
    }
    return writer.bytes
  }

  /// The width of the largest id; 1 where all are 0, so that a record's size bounds the number of its tokens.
  static func bits(of tokenIDs: [Int32]) throws -> Int {
    if let negative = tokenIDs.first(where: { $0 < 0 }) {
      throw damaged("the sample holds the token id \(negative)")
    }
    return max(1, bitsNeeded(for: Int(tokenIDs.max() ?? 0) + 1))
  }

  /// The sample of a record, of this version or the first.
  ///
  /// - Throws: a `Diagnostic` of category `failure`, as ``decode(_:vocabularySize:)-(UnsafeRawBufferPointer,_)``.
  public static func decodeSample(_ bytes: UnsafeRawBufferPointer, vocabularySize: Int) throws -> ScoredSample {
    var reader = unsafe BitReader(bytes)
    guard reader.read(8) == UInt32(sampleMagic) else { throw damaged("does not begin with the mark of a sample") }
    let version = reader.read(8)
    switch version {
    case 1:
      let sequence = try reader.readSequenceOfVersion1()
      let signal = try unsafe decode(reader.rest(), vocabularySize: vocabularySize)
      try check(signal, sequence.scoredPositions)
      return ScoredSample(sequence, signal: signal)
    case UInt32(sampleVersion): return try decodeSample(&reader, vocabularySize: vocabularySize)
    default: throw damaged("version \(version) of a sample is not known, only 1 and \(sampleVersion)")
    }
  }

  /// ``decodeSample(_:vocabularySize:)-(UnsafeRawBufferPointer,_)`` over an array.
  public static func decodeSample(_ bytes: [UInt8], vocabularySize: Int) throws -> ScoredSample {
    try unsafe bytes.withUnsafeBytes { buffer in try unsafe decodeSample(buffer, vocabularySize: vocabularySize) }
  }

  /// A sample's record as this version writes it, with the record of the signal as it is, byte for byte.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the record is damaged.
  package static func upgraded(_ bytes: UnsafeRawBufferPointer, vocabularySize: Int) throws -> [UInt8] {
    var reader = unsafe BitReader(bytes)
    guard reader.read(8) == UInt32(sampleMagic), reader.read(8) == 1 else { return unsafe [UInt8](bytes) }
    let sequence = try reader.readSequenceOfVersion1()
    let signal = try unsafe decode(reader.rest(), vocabularySize: vocabularySize)
    try check(signal, sequence.scoredPositions)
    return try unsafe head(of: ScoredSample(sequence, signal: signal)) + [UInt8](reader.rest())
  }

  private static func decodeSample(_ reader: inout BitReader, vocabularySize: Int) throws -> ScoredSample {
    let flags = SampleFlags(rawValue: UInt8(reader.read(8)))
    guard flags.isSubset(of: .known) else { throw damaged("it has unknown flags") }
    let kernels = reader.readVariable()
    let tokenIDs = try reader.readTokenIDs(count: reader.readVariable(), bits: reader.readVariable())
    let asked = try reader.readPositions(before: max(tokenIDs.count, 1) - 1)
    let sequence = TokenSequence(tokenIDs: tokenIDs, scoredPositions: asked)
    let positions = flags.contains(.selection) ? try reader.readPositions(before: asked.end) : asked
    guard positions.isSubset(of: asked) else { throw damaged("it has positions that were not asked about") }
    let input = flags.contains(.input) ? try reader.readInput() : .tokens
    let columns = flags.contains(.columns) ? try reader.readColumns(positions: positions.count) : []
    guard !reader.isOverrun else { throw damaged("it ends too early") }
    let signal = try unsafe decode(reader.rest(), vocabularySize: vocabularySize)
    try check(signal, positions)
    return ScoredSample(
      sequence, positions: positions, signal: signal, columns: columns, input: input, kernels: kernels)
  }

  private static func check(_ signal: SparseSignal, _ positions: ScoredPositions) throws {
    guard positions.count == signal.positionCount else {
      throw damaged("\(signal.positionCount) positions where the sample has \(positions.count)")
    }
  }
}

/// Which parts a sample's record has.
private struct SampleFlags: OptionSet {
  let rawValue: UInt8

  static let selection = SampleFlags(rawValue: 1)
  static let input = SampleFlags(rawValue: 2)
  static let columns = SampleFlags(rawValue: 4)
  static let known: SampleFlags = [.selection, .input, .columns]

  init(rawValue: UInt8) { self.rawValue = rawValue }

  init(_ sample: ScoredSample) {
    self = []
    if sample.positions != sample.sequence.scoredPositions { insert(.selection) }
    if sample.input != .tokens { insert(.input) }
    if !sample.columns.isEmpty { insert(.columns) }
  }
}
