/// Checks bytes for well-formed UTF-8 (Unicode 15, table 3-7).
enum UTF8Validation {
  /// Offset of the first byte of the first ill-formed sequence, nil where all is well.
  static func firstInvalidOffset(_ bytes: Span<UInt8>) -> Int? {
    var index = 0
    while index < bytes.count {
      let lead = bytes[index]
      if lead < 0x80 {
        index += 1
        continue
      }
      guard let length = length(lead, second: index + 1 < bytes.count ? bytes[index + 1] : 0),
        index + length <= bytes.count
      else { return index }
      for offset in 2..<max(2, length) where bytes[index + offset] & 0xC0 != 0x80 { return index }
      index += length
    }
    return nil
  }

  /// Length of a sequence told from its first two bytes, which decide everything but the plain trailing bytes.
  private static func length(_ lead: UInt8, second: UInt8) -> Int? {
    switch (lead, second) {
    case (0xC2...0xDF, 0x80...0xBF): 2
    case (0xE0, 0xA0...0xBF), (0xE1...0xEC, 0x80...0xBF), (0xED, 0x80...0x9F), (0xEE...0xEF, 0x80...0xBF): 3
    case (0xF0, 0x90...0xBF), (0xF1...0xF3, 0x80...0xBF), (0xF4, 0x80...0x8F): 4
    default: nil
    }
  }
}
