public import Diagnostics

/// How a signal is written as bytes: the one table of codecs. A record names its codec and version, so a reader needs no
/// other knowledge than the vocabulary size, and damaged bytes are told from good ones.
///
/// Record: magic byte, codec, version of the record, kind, then position count, vocabulary size and entries of a position as
/// variable-length integers, the last 0 where positions differ and their counts follow; then the codec's bits, least
/// significant first, the last byte filled with zeros. Records of version 1 have top-k, position count and vocabulary
/// instead.
public enum SignalCodec: String, Sendable, CaseIterable, Codable {
  /// Sorted ids by Elias-Fano and log-probs quantised so that KL(teacher, cached) stays below 1e-4, fp32 tail and
  /// target: about 150 bytes a position at top-k 64 and a vocabulary of 50 thousand.
  case compact
  /// Ids in rank order, each in as few bits as the vocabulary takes, and fp32 values: what comes out is bit for bit what went in.
  case exact

  /// What does the work.
  var positions: any PositionCodec.Type {
    switch self {
    case .compact: CompactCodec.self
    case .exact: ExactCodec.self
    }
  }

  /// Version of the records around the codecs' bits.
  private static let recordVersion: UInt8 = 2

  /// Name and version of the codec's bits as manifests record them, such as `compact/1`.
  public var identifier: String { "\(rawValue)/\(positions.version)" }

  /// The codec that an ``identifier`` names.
  ///
  /// - Parameter refusal: Makes the diagnostic to throw of what is wrong, where there is no such codec.
  public init(identifier: String, refusal: (String) -> Diagnostic) throws {
    guard let codec = Self.allCases.first(where: { $0.identifier == identifier }) else {
      let known = Self.allCases.map(\.identifier).joined(separator: ", ")
      throw refusal("names the codec \(identifier), which is none of \(known)")
    }
    self = codec
  }

  /// About how many bytes a position takes, tail and target included.
  ///
  /// - Parameter entries: Ids kept at each position.
  public func bytesPerPosition(entries: Int, vocabularySize: Int) -> Int {
    positions.init(entries: min(entries, vocabularySize), vocabularySize: vocabularySize).expectedBits / 8
  }

  /// Whether signals of a kind can be written.
  public func holds(_ kind: SparseSignal.Kind) -> Bool { positions.kinds.contains(kind) }

  static let magic: UInt8 = 0xD5
  /// The kinds in the order of the numbers that stand for them on disk.
  package static let kinds: [SparseSignal.Kind] = [.topK, .nucleus, .sample, .dense, .derivedTail]

  /// The record of a signal.
  ///
  /// - Throws: a `Diagnostic` where the signal is not valid (see ``SparseSignal/validate(vocabularySize:)``), as after a
  ///   teacher that overflowed, or of a kind that the codec does not hold.
  /// - Precondition: no position has more entries than `vocabularySize`.
  public func encode(_ signal: SparseSignal, vocabularySize: Int) throws -> [UInt8] {
    let largest = signal.largestCount
    precondition(largest <= vocabularySize, "\(largest) entries are more than the vocabulary of \(vocabularySize)")
    guard holds(signal.kind) else {
      let others = Self.allCases.filter { $0.holds(signal.kind) }.map(\.rawValue).joined(separator: ", ")
      throw Diagnostic.input(
        "the codec \(rawValue) cannot hold signals of kind \(signal.kind.rawValue)", field: "codec",
        remedy: "choose \(others)")
    }
    try signal.validate(vocabularySize: vocabularySize)
    var writer = BitWriter(startingWith: [Self.magic, positions.tag, Self.recordVersion])
    writer.write(UInt32(Self.kinds.firstIndex(of: signal.kind)!), bits: 8)
    writer.writeVariable(signal.positionCount)
    writer.writeVariable(vocabularySize)
    let isEven = (0..<signal.positionCount).allSatisfy { signal.entries(at: $0).count == largest }
    writer.writeVariable(isEven ? largest : 0)
    if !isEven { for position in 0..<signal.positionCount { writer.writeVariable(signal.entries(at: position).count) } }
    var codec: (any PositionCodec)?
    for position in 0..<signal.positionCount {
      let count = signal.entries(at: position).count
      if codec?.entries != count { codec = positions.init(entries: count, vocabularySize: vocabularySize) }
      codec?.encode(signal, position, into: &writer)
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
    guard let codec = allCases.first(where: { UInt32($0.positions.tag) == tag })?.positions else {
      throw damaged("unknown codec \(tag)")
    }
    let shape =
      switch version {
      case 1: try Shape(version1: &reader, vocabularySize: vocabularySize)
      case 2: try Shape(&reader, kinds: kinds, vocabularySize: vocabularySize)
      default:
        throw Diagnostic.failure(
          "version \(version) of a signal's record is not known, only 1 and 2",
          remedy: "read it with the version of Decant that wrote it")
      }
    guard codec.kinds.contains(shape.kind) else { throw damaged("its codec does not hold \(shape.kind.rawValue)") }
    let signal = try shape.signal(codec, vocabularySize: vocabularySize, from: &reader)
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
}

/// What the head of a signal's record says of it.
private struct Shape {
  var kind: SparseSignal.Kind
  var positions: Int
  /// Entries of every position; nil where ``counts`` has each one's.
  var even: Int?
  var counts: [Int] = []

  init(version1 reader: inout BitReader, vocabularySize: Int) throws {
    kind = .topK
    even = reader.readVariable()
    positions = reader.readVariable()
    try Self.check(vocabulary: reader.readVariable(), reader, vocabularySize)
    try check(count: even ?? 0, vocabularySize)
  }

  init(_ reader: inout BitReader, kinds: [SparseSignal.Kind], vocabularySize: Int) throws {
    let number = Int(reader.read(8))
    guard number < kinds.count else { throw SignalCodec.damaged("unknown kind \(number)") }
    kind = kinds[number]
    positions = reader.readVariable()
    try Self.check(vocabulary: reader.readVariable(), reader, vocabularySize)
    let common = reader.readVariable()
    guard common == 0 else {
      even = common
      try check(count: common, vocabularySize)
      return
    }
    // Each count takes a byte.
    guard positions <= reader.remaining / 8 else {
      throw SignalCodec.damaged("\(positions) positions do not fit in \(reader.remaining) bits")
    }
    counts = (0..<positions).map { _ in reader.readVariable() }
    for count in counts { try check(count: count, vocabularySize) }
  }

  private static func check(vocabulary: Int, _ reader: BitReader, _ vocabularySize: Int) throws {
    guard !reader.isOverrun, vocabulary == vocabularySize else {
      throw SignalCodec.damaged("its vocabulary has \(vocabulary) tokens, not \(vocabularySize)")
    }
  }

  private func check(count: Int, _ vocabularySize: Int) throws {
    guard (1...vocabularySize).contains(count) else {
      throw SignalCodec.damaged("top-k \(count) is not in 1...\(vocabularySize)")
    }
  }

  /// Reads the positions, after it is sure that the bits left can hold them: only then is anything allocated for them.
  func signal(
    _ type: any PositionCodec.Type, vocabularySize: Int, from reader: inout BitReader
  ) throws -> SparseSignal {
    var codec = even.map { type.init(entries: $0, vocabularySize: vocabularySize) }
    var bits = reader.remaining
    func take(_ least: Int, _ positions: Int) throws {
      guard positions <= bits / least else {
        throw SignalCodec.damaged("\(self.positions) positions do not fit in \(reader.remaining) bits")
      }
      bits -= positions * least
    }
    if let codec { try take(codec.leastBits, positions) }
    for count in counts { try take(type.init(entries: count, vocabularySize: vocabularySize).leastBits, 1) }
    var signal = SparseSignal(kind: kind)
    signal.reserve(positions: positions, entries: even ?? counts.max() ?? 0)
    for position in 0..<positions {
      let count = even ?? counts[position]
      if codec?.entries != count { codec = type.init(entries: count, vocabularySize: vocabularySize) }
      try codec!.decode(position, into: &signal, from: &reader)
    }
    guard !reader.isOverrun else { throw SignalCodec.damaged("it ends too early") }
    if !type.checksPositions { try signal.validate(vocabularySize: vocabularySize) }
    return signal
  }
}
