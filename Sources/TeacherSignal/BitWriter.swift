/// Appends fields of a few bits to bytes, least significant bit first.
struct BitWriter {
  private(set) var bytes: [UInt8]
  private var pending: UInt64 = 0
  private var pendingBits = 0

  init(startingWith bytes: [UInt8] = []) { self.bytes = bytes }

  /// Appends the low `bits` bits of `value`, at most 32.
  mutating func write(_ value: UInt32, bits: Int) {
    pending |= UInt64(value) << UInt64(pendingBits)
    pendingBits += bits
    while pendingBits >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: pending))
      pending >>= 8
      pendingBits -= 8
    }
  }

  /// Appends `value` zeros and a one.
  mutating func writeUnary(_ value: Int) {
    for _ in 0..<value / 31 { write(0, bits: 31) }
    write(1 << UInt32(value % 31), bits: value % 31 + 1)
  }

  /// Appends the 32 bits of a float.
  mutating func write(_ value: Float) { write(value.bitPattern, bits: 32) }

  /// Fills the last byte with zeros.
  mutating func align() {
    if pendingBits > 0 { write(0, bits: 8 - pendingBits) }
  }

  /// Appends an integer in groups of seven bits, the lowest first (LEB128).
  mutating func writeVariable(_ value: Int) {
    var rest = value
    while rest >= 0x80 {
      write(UInt32(rest & 0x7f | 0x80), bits: 8)
      rest >>= 7
    }
    write(UInt32(rest), bits: 8)
  }
}

/// Smallest number of bits that tells `count` values apart.
func bitsNeeded(for count: Int) -> Int {
  count <= 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
}
