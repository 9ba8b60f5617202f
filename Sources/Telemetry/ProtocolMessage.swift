/// A protocol buffers message, written field by field: as much of the wire format as event files need.
struct ProtocolMessage {
  private enum Wire: UInt64 {
    case varint = 0, fixed64 = 1, lengthDelimited = 2, fixed32 = 5
  }

  private(set) var bytes: [UInt8] = []

  init(_ fields: (inout ProtocolMessage) -> Void) { fields(&self) }

  mutating func integer(_ field: UInt64, _ value: Int) {
    key(field, .varint)
    varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func double(_ field: UInt64, _ value: Double) {
    key(field, .fixed64)
    for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt64(8 * byte))) }
  }

  mutating func float(_ field: UInt64, _ value: Float) {
    key(field, .fixed32)
    for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * byte))) }
  }

  mutating func string(_ field: UInt64, _ value: String) { delimited(field, Array(value.utf8)) }

  mutating func message(_ field: UInt64, _ value: ProtocolMessage) { delimited(field, value.bytes) }

  private mutating func delimited(_ field: UInt64, _ value: [UInt8]) {
    key(field, .lengthDelimited)
    varint(UInt64(value.count))
    bytes += value
  }

  private mutating func key(_ field: UInt64, _ wire: Wire) { varint(field << 3 | wire.rawValue) }

  /// Seven bits a byte, the low ones first, the top bit set on all but the last.
  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 0x7f {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
