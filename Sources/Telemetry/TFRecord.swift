/// The record framing of TensorFlow's files: length, checksum of the length, data, checksum of the data.
enum TFRecord {
  static func frame(_ data: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(data.count))
    return length + littleEndian(mask(crc32c(length))) + data + littleEndian(mask(crc32c(data)))
  }

  /// TensorFlow stores checksums rotated and shifted, so that a checksum of data that holds checksums stays useful
  /// (tensorflow/core/lib/hash/crc32c.h).
  private static func mask(_ checksum: UInt32) -> UInt32 { (checksum >> 15 | checksum << 17) &+ 0xa282_ead8 }

  /// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78).
  static func crc32c(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { checksum, byte in table[Int(UInt8(truncatingIfNeeded: checksum) ^ byte)] ^ (checksum >> 8) }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0x82f6_3b78 ^ (value >> 1) : value >> 1 }
  }

  private static func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
  }
}
