import CXXHash

/// A 128-bit content hash (XXH3-128): names what an artefact was made from, keys samples by content, guards records.
///
/// Not cryptographic: it tells accidents from equality, not attackers.
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
  public let high: UInt64
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Parses the 32 hexadecimal digits of ``description``; nil for anything else.
  public init?(_ text: String) {
    guard text.utf8.count == 32, let high = UInt64(text.prefix(16), radix: 16),
      let low = UInt64(text.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  /// The fingerprint of some bytes.
  public init(of bytes: UnsafeRawBufferPointer) {
    let hash = unsafe XXH3_128bits(bytes.baseAddress, bytes.count)
    self.init(high: hash.high64, low: hash.low64)
  }

  /// The fingerprint of some bytes.
  public init(of bytes: [UInt8]) {
    self = unsafe bytes.withUnsafeBytes { unsafe Fingerprint(of: $0) }
  }

  /// The fingerprint of a text's UTF-8 bytes.
  public init(of text: String) {
    self.init(of: Array(text.utf8))
  }

  /// 32 lower-case hexadecimal digits, high half first.
  public var description: String { Self.hex(high) + Self.hex(low) }

  /// 16 bytes, big-endian, high half first: sorts as ``description`` does.
  public var bytes: [UInt8] {
    [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) } }
  }

  private static func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
