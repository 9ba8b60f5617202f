/// Reads what ``BitWriter`` wrote, from bytes that may be damaged: a read past the end gives zeros and sets
/// ``isOverrun``, which the decoder looks at once per position.
///
/// The only type of this room that touches memory by address; valid while the bytes it was made over are.
@safe struct BitReader {
  private let bytes: UnsafeRawBufferPointer
  private let bitCount: Int
  private var position = 0
  /// True after a read past the end.
  private(set) var isOverrun = false

  init(_ bytes: UnsafeRawBufferPointer) {
    unsafe self.bytes = bytes
    bitCount = bytes.count * 8
  }

  /// Bits not yet read.
  var remaining: Int { bitCount - position }

  /// At least 57 bits from the current place, zeros beyond the end.
  private func window() -> UInt64 {
    let first = position >> 3
    var word: UInt64 = 0
    if unsafe first + 8 <= bytes.count {
      word = unsafe UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: first, as: UInt64.self))
    } else {
      for index in unsafe first..<max(first, bytes.count) {
        unsafe word |= UInt64(bytes[index]) << UInt64(8 * (index - first))
      }
    }
    return word >> UInt64(position & 7)
  }

  /// The next `bits` bits, at most 32.
  mutating func read(_ bits: Int) -> UInt32 {
    guard bits <= remaining else {
      isOverrun = true
      position = bitCount
      return 0
    }
    let value = UInt32(truncatingIfNeeded: window() & (1 << UInt64(bits) - 1))
    position += bits
    return value
  }

  /// The number of zeros before the next one; more than `limit` counts as an overrun.
  mutating func readUnary(limit: Int) -> Int {
    var zeros = 0
    while zeros <= limit, remaining > 0 {
      let word = window()
      let usable = min(57, remaining)
      let run = word.trailingZeroBitCount
      if run < usable {
        position += run + 1
        zeros += run
        if zeros > limit { break }
        return zeros
      }
      position += usable
      zeros += usable
    }
    isOverrun = true
    position = bitCount
    return 0
  }

  mutating func readFloat() -> Float { Float(bitPattern: read(32)) }

  /// Skips to the next byte; false where a skipped bit is set.
  mutating func align() -> Bool { read(-position & 7) == 0 }

  /// An integer of at most 56 bits in groups of seven.
  mutating func readVariable() -> Int {
    var value = 0
    for shift in stride(from: 0, to: 56, by: 7) {
      let group = Int(read(8))
      value |= (group & 0x7f) << shift
      if group & 0x80 == 0 { return value }
    }
    isOverrun = true
    return 0
  }

  /// The bytes from the current place, which must be on a byte's border, to the end.
  func rest() -> UnsafeRawBufferPointer {
    precondition(position & 7 == 0, "the rest of a record begins at bit \(position), inside a byte")
    return unsafe UnsafeRawBufferPointer(rebasing: bytes[(position >> 3)...])
  }
}
