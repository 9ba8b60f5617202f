/// Numbers byte strings 0, 1, 2 ... in the order they first come, and finds them again by their bytes.
///
/// Tokens are keyed by bytes because `String` compares by canonical equivalence: a composed and a decomposed `é` are
/// one string to Swift and two tokens to a vocabulary. All keys lie in one allocation; lookups take no copy.
struct ByteTable: Sendable {
  private var arena: [UInt8] = []
  /// Key `i` is `arena[bounds[i]..<bounds[i + 1]]`.
  private var bounds: [Int] = [0]
  private var hashes: [UInt64] = []
  /// Open addressing: 0 for free, else the key's number plus one. The size is a power of two.
  private var slots = [Int32](repeating: 0, count: 64)

  /// Number of keys.
  var count: Int { hashes.count }
  /// Bytes that all keys take together.
  var byteCount: Int { arena.count }

  /// The bytes of key number `index`.
  subscript(index: Int) -> ArraySlice<UInt8> { arena[bounds[index]..<bounds[index + 1]] }

  mutating func reserve(keys: Int, bytes: Int) {
    arena.reserveCapacity(bytes)
    bounds.reserveCapacity(keys + 1)
    hashes.reserveCapacity(keys)
    while slots.count < 2 * keys { slots.append(contentsOf: repeatElement(0, count: slots.count)) }
    if count > 0 { rehash(slots.count) }
  }

  /// The number of a key, nil where it is not there.
  func find(_ bytes: [UInt8], _ range: Range<Int>) -> Int? {
    let hash = Self.hash(bytes, range)
    let entry = Int(slots[slot(of: bytes, range, hash)])
    return entry == 0 ? nil : entry - 1
  }

  /// The number of a key, nil where it is not there.
  func find(_ bytes: [UInt8]) -> Int? { find(bytes, 0..<bytes.count) }

  /// The number of a key, given one where it is new.
  mutating func insert(_ bytes: [UInt8], _ range: Range<Int>) -> (index: Int, isNew: Bool) {
    if 2 * count >= slots.count { rehash(2 * slots.count) }
    let hash = Self.hash(bytes, range)
    let place = slot(of: bytes, range, hash)
    if slots[place] != 0 { return (Int(slots[place]) - 1, false) }
    arena.append(contentsOf: bytes[range])
    bounds.append(arena.count)
    hashes.append(hash)
    slots[place] = Int32(count)
    return (count - 1, true)
  }

  mutating func removeAll() {
    arena.removeAll(keepingCapacity: true)
    bounds = [0]
    hashes.removeAll(keepingCapacity: true)
    for index in slots.indices { slots[index] = 0 }
  }

  /// The slot that holds the key, or the free one where it belongs.
  private func slot(of bytes: [UInt8], _ range: Range<Int>, _ hash: UInt64) -> Int {
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while slots[place] != 0 {
      let index = Int(slots[place]) - 1
      if hashes[index] == hash && equals(index, bytes, range) { return place }
      place = (place + 1) & mask
    }
    return place
  }

  private func equals(_ index: Int, _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    let own = bounds[index]..<bounds[index + 1]
    guard own.count == range.count else { return false }
    let key = arena.span.extracting(own), wanted = bytes.span.extracting(range)
    for offset in key.indices where key[offset] != wanted[offset] { return false }
    return true
  }

  private mutating func rehash(_ size: Int) {
    slots = [Int32](repeating: 0, count: size)
    for (index, hash) in hashes.enumerated() {
      var place = Int(truncatingIfNeeded: hash) & (size - 1)
      while slots[place] != 0 { place = (place + 1) & (size - 1) }
      slots[place] = Int32(index + 1)
    }
  }

  /// Eight bytes at a time, each multiplied in, with a final mix, so that the low bits that choose the slot depend on
  /// every byte.
  private static func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt64 {
    let part = bytes.span.extracting(range)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(part.count)
    var word: UInt64 = 0
    for index in part.indices {
      word = word << 8 | UInt64(part[index])
      if index & 7 == 7 {
        hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 32
        word = 0
      }
    }
    hash = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
    return (hash ^ (hash >> 29)) &* 0x94d0_49bb_1331_11eb ^ (hash >> 32)
  }
}
