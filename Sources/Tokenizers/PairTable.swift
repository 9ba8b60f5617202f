/// The merges of a byte-pair vocabulary: a pair of token ids gives its rank and the id it becomes.
struct PairTable: Sendable {
  struct Merge: Sendable {
    var rank: Int32
    var id: Int32
  }

  /// A pair with its merge beside it: a look into a table that is far larger than the processor's cache costs one wait.
  private struct Slot: Sendable {
    var key = UInt64.max
    var merge = Merge(rank: 0, id: 0)
  }

  private static let free = UInt64.max
  private var slots: [Slot]

  /// An empty table with room for `capacity` pairs.
  init(capacity: Int) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    slots = [Slot](repeating: Slot(), count: size)
  }

  /// The merge of a pair, nil where there is none.
  func find(_ left: Int32, _ right: Int32) -> Merge? {
    let key = Self.key(left, right)
    let slots = slots.span
    let mask = slots.count - 1
    var place = Self.hash(key) & mask
    while true {
      let slot = slots[place]
      if slot.key == key { return slot.merge }
      if slot.key == Self.free { return nil }
      place = (place + 1) & mask
    }
  }

  /// Sets the merge of a pair.
  ///
  /// - Precondition: no more pairs are set than the table was made for.
  mutating func set(_ left: Int32, _ right: Int32, _ merge: Merge) {
    let key = Self.key(left, right)
    let mask = slots.count - 1
    var place = Self.hash(key) & mask
    while slots[place].key != key && slots[place].key != Self.free { place = (place + 1) & mask }
    slots[place] = Slot(key: key, merge: merge)
  }

  /// Number of pairs there is room for.
  var capacity: Int { slots.count / 2 }

  /// Calls `body` with every pair, in no order.
  func forEachPair(_ body: (_ left: Int32, _ right: Int32) -> Void) {
    for slot in slots where slot.key != Self.free {
      body(Int32(truncatingIfNeeded: slot.key >> 32), Int32(truncatingIfNeeded: slot.key))
    }
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private static func hash(_ key: UInt64) -> Int { Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) >> 20) }
}
