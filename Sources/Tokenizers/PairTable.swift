/// The merges of a byte-pair vocabulary: a pair of token ids gives its rank and the id it becomes.
struct PairTable: Sendable {
  struct Merge: Sendable {
    var rank: Int32
    var id: Int32
  }

  private static let free = UInt64.max
  private var keys: [UInt64]
  private var merges: [Merge]

  /// An empty table with room for `capacity` pairs.
  init(capacity: Int) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    keys = [UInt64](repeating: Self.free, count: size)
    merges = [Merge](repeating: Merge(rank: 0, id: 0), count: size)
  }

  /// The merge of a pair, nil where there is none.
  func find(_ left: Int32, _ right: Int32) -> Merge? {
    let place = slot(of: Self.key(left, right))
    return keys[place] == Self.free ? nil : merges[place]
  }

  /// Sets the merge of a pair.
  ///
  /// - Precondition: no more pairs are set than the table was made for.
  mutating func set(_ left: Int32, _ right: Int32, _ merge: Merge) {
    let key = Self.key(left, right)
    let place = slot(of: key)
    keys[place] = key
    merges[place] = merge
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private func slot(of key: UInt64) -> Int {
    let mask = keys.count - 1
    var place = Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 20) & mask
    while keys[place] != key && keys[place] != Self.free { place = (place + 1) & mask }
    return place
  }
}
