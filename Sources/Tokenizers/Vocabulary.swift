/// The tokens of a model and their ids.
struct Vocabulary: Sendable {
  /// Largest id accepted: far above any vocabulary, far below what would exhaust memory.
  static let maximumID = 1 << 24

  private var table = ByteTable()
  /// Id of every key of the table.
  private var ids: [Int32] = []
  /// Number of every id's key, or -1.
  private var keys: [Int32] = []

  /// Highest id plus one.
  var size: Int { keys.count }

  /// Number of tokens, which is less than ``size`` where there are holes.
  var count: Int { ids.count }

  mutating func reserve(tokens: Int, bytes: Int) { table.reserve(keys: tokens, bytes: bytes) }

  /// Adds a token; false where the token or the id is there already.
  mutating func insert(_ bytes: [UInt8], _ range: Range<Int>, id: Int32) -> Bool {
    while keys.count <= id { keys.append(-1) }
    let (index, isNew) = table.insert(bytes, range)
    guard isNew, keys[Int(id)] < 0 else { return false }
    ids.append(id)
    keys[Int(id)] = Int32(index)
    return true
  }

  func id(_ bytes: [UInt8], _ range: Range<Int>) -> Int32? { table.find(bytes, range).map { ids[$0] } }

  func id(_ bytes: [UInt8]) -> Int32? { id(bytes, 0..<bytes.count) }

  /// The bytes of a token as the file writes it, nil where no token has the id.
  func token(_ id: Int32) -> ArraySlice<UInt8>? {
    guard id >= 0, id < keys.count, keys[Int(id)] >= 0 else { return nil }
    return table[Int(keys[Int(id)])]
  }
}
