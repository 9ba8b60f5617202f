import Diagnostics
import Files

/// The type of a value of the metadata, by its number in the file.
enum GGUFValueType: UInt32 {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// Bytes of a value; nil where they depend on it.
  var size: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }
}

/// The checked header of a GGUF file. Nothing in it is believed before it is checked, and memory is taken for what has
/// been read, never for what a count announces.
struct GGUFHeader {
  private(set) var metadata: [String: GGUFValue] = [:]
  private(set) var tensors: [String: GGUFTensor] = [:]

  static let magic: [UInt8] = Array("GGUF".utf8)
  static let remedy = "download or copy the file again"
  private static let alignmentKey = "general.alignment"
  /// Most extents a tensor may have.
  private static let maximumRank = 4

  /// - Throws: a `Diagnostic` of category `input`.
  init(_ file: MappedFile) throws {
    var cursor = HeaderCursor(file)
    try Self.checkVersion(&cursor)
    let tensorCount = try cursor.integer(UInt64.self)
    let valueCount = try cursor.integer(UInt64.self)
    // The least that each takes: a key, a type and a byte; a name, a rank, an extent, a type and an offset.
    try cursor.checkCount(valueCount, leastBytes: 8 + 4 + 1, of: "metadata values")
    try cursor.checkCount(tensorCount, leastBytes: 8 + 4 + 8 + 4 + 8, of: "tensors")
    for _ in 0..<valueCount {
      let key = try cursor.text(of: "a key of its metadata")
      let value = try Self.value(&cursor, key)
      guard metadata.updateValue(value, forKey: key) == nil else { throw cursor.diagnostic("comes twice", field: key) }
    }
    let alignment = try Self.alignment(GGUFMetadata(metadata, file: file.path))
    var entries: [(name: String, type: GGUFElementType, shape: [Int], offset: UInt64, bytes: Int)] = []
    var names: Set<String> = []
    for _ in 0..<tensorCount {
      let entry = try Self.entry(&cursor)
      guard names.insert(entry.name).inserted else { throw cursor.diagnostic("comes twice", field: entry.name) }
      entries.append(entry)
    }
    let start = cursor.position + (alignment - cursor.position % alignment) % alignment
    entries.sort { ($0.offset, $0.name) < ($1.offset, $1.name) }
    var end = start
    for entry in entries {
      let range = try Self.place(entry, start: start, alignment: alignment, cursor)
      guard range.lowerBound >= end else {
        throw cursor.diagnostic("overlaps the tensor before it in the file", field: entry.name, remedy: Self.remedy)
      }
      end = range.upperBound
      tensors[entry.name] = GGUFTensor(type: entry.type, shape: entry.shape, range: range)
    }
  }

  private static func checkVersion(_ cursor: inout HeaderCursor) throws {
    guard try cursor.isNext(magic) else {
      throw cursor.diagnostic(
        "is no GGUF file: it does not begin with GGUF", remedy: "name a file that llama.cpp reads")
    }
    let version = try cursor.integer(UInt32.self)
    if (2...3).contains(version.byteSwapped) {
      throw cursor.diagnostic(
        "is a big-endian GGUF file, which is not supported", remedy: "convert it with gguf-py's gguf_convert_endian.py")
    }
    guard (2...3).contains(version) else {
      throw cursor.diagnostic(
        "is a GGUF file of version \(version), but versions 2 and 3 are read",
        remedy: "convert the model again with a current llama.cpp")
    }
  }

  private static func alignment(_ metadata: GGUFMetadata) throws -> Int {
    let alignment = try metadata.integer(alignmentKey, in: 1...1 << 30) ?? 32
    guard alignment.nonzeroBitCount == 1 else {
      throw metadata.diagnostic(alignmentKey, "is \(alignment), but must be a power of two", remedy: remedy)
    }
    return alignment
  }

  // MARK: Metadata

  private static func value(_ cursor: inout HeaderCursor, _ key: String) throws -> GGUFValue {
    let type = try valueType(&cursor, key)
    switch type {
    case .uint8: return .unsigned(UInt64(try cursor.integer(UInt8.self)))
    case .uint16: return .unsigned(UInt64(try cursor.integer(UInt16.self)))
    case .uint32: return .unsigned(UInt64(try cursor.integer(UInt32.self)))
    case .uint64: return .unsigned(try cursor.integer(UInt64.self))
    case .int8: return .signed(Int64(try cursor.integer(Int8.self)))
    case .int16: return .signed(Int64(try cursor.integer(Int16.self)))
    case .int32: return .signed(Int64(try cursor.integer(Int32.self)))
    case .int64: return .signed(try cursor.integer(Int64.self))
    case .float32: return .float(Float(bitPattern: try cursor.integer(UInt32.self)))
    case .float64: return .double(Double(bitPattern: try cursor.integer(UInt64.self)))
    case .bool:
      let byte = try cursor.integer(UInt8.self)
      guard byte <= 1 else { throw cursor.diagnostic("is the truth value \(byte)", field: key, remedy: remedy) }
      return .bool(byte == 1)
    case .string: return .string(try cursor.text(of: key))
    case .array: return .array(try array(&cursor, key))
    }
  }

  private static func valueType(_ cursor: inout HeaderCursor, _ key: String) throws -> GGUFValueType {
    let number = try cursor.integer(UInt32.self)
    guard let type = GGUFValueType(rawValue: number) else {
      throw cursor.diagnostic("is a value of the unknown type \(number)", field: key, remedy: remedy)
    }
    return type
  }

  private static func array(_ cursor: inout HeaderCursor, _ key: String) throws -> GGUFArray {
    let type = try valueType(&cursor, key)
    guard type != .array else { throw cursor.diagnostic("is an array of arrays, which is not read", field: key) }
    let count = try cursor.integer(UInt64.self)
    try cursor.checkCount(count, leastBytes: type.size ?? 8, of: "elements of \(key)")
    let start = cursor.position
    if let size = type.size {
      try cursor.skip(Int(count) * size, of: key)
    } else {
      for _ in 0..<count { try cursor.skipText(of: key) }
    }
    return GGUFArray(count: Int(count), type: type, range: start..<cursor.position, file: cursor.file)
  }

  // MARK: Tensors

  private static func entry(
    _ cursor: inout HeaderCursor
  ) throws -> (name: String, type: GGUFElementType, shape: [Int], offset: UInt64, bytes: Int) {
    let name = try cursor.text(of: "a tensor's name")
    let rank = try cursor.integer(UInt32.self)
    guard (1...UInt32(maximumRank)).contains(rank) else {
      throw cursor.diagnostic("has \(rank) extents, but must have 1 to \(maximumRank)", field: name, remedy: remedy)
    }
    // Innermost first in the file.
    var shape: [Int] = []
    var count = 1
    for _ in 0..<rank {
      let extent = try cursor.integer(UInt64.self)
      guard let extent = Int(exactly: extent), extent > 0 else {
        throw cursor.diagnostic("has an extent of \(extent)", field: name, remedy: remedy)
      }
      let (product, overflows) = count.multipliedReportingOverflow(by: extent)
      guard !overflows else { throw cursor.diagnostic("has more elements than there are bytes", field: name) }
      shape.insert(extent, at: 0)
      count = product
    }
    let number = try cursor.integer(UInt32.self)
    guard let type = GGUFElementType(rawValue: number) else {
      let known = GGUFElementType.name(number) ?? "the unknown number \(number)"
      throw cursor.diagnostic(
        "is of type \(known), which is not read; those that are: \(GGUFElementType.readable)", field: name,
        remedy: "quantise the model to one of these types, such as Q8_0 or Q4_K_M")
    }
    guard let columns = shape.last, columns % type.blockSize == 0 else {
      throw cursor.diagnostic(
        "has rows of \(shape.last ?? 0) elements, but \(type.name) comes in blocks of \(type.blockSize)", field: name,
        remedy: remedy)
    }
    let (bytes, overflows) = (count / type.blockSize).multipliedReportingOverflow(by: type.blockBytes)
    guard !overflows else { throw cursor.diagnostic("has more elements than there are bytes", field: name) }
    return (name, type, shape, try cursor.integer(UInt64.self), bytes)
  }

  /// The bytes of a tensor within the file.
  private static func place(
    _ entry: (name: String, type: GGUFElementType, shape: [Int], offset: UInt64, bytes: Int), start: Int,
    alignment: Int, _ cursor: HeaderCursor
  ) throws -> Range<Int> {
    guard entry.offset % UInt64(alignment) == 0 else {
      throw cursor.diagnostic(
        "begins at \(entry.offset), which is no multiple of the alignment \(alignment)", field: entry.name,
        remedy: remedy)
    }
    let room = cursor.size - start
    guard room >= entry.bytes, entry.offset <= UInt64(room - entry.bytes) else {
      throw cursor.diagnostic(
        "takes \(entry.bytes) bytes from \(entry.offset), but the file holds only \(max(0, room)) bytes of tensors",
        field: entry.name, remedy: remedy)
    }
    let begin = start + Int(entry.offset)
    return begin..<begin + entry.bytes
  }
}
