extension JSONScanner {
  /// Reads a string and appends its bytes, escapes resolved, to what `text` holds.
  public mutating func readString(appendingTo text: inout [UInt8]) throws {
    guard case .string = try peekKind() else { throw unexpected("a string") }
    position += 1
    var start = position
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""):
        append(start..<position, to: &text)
        position += 1
        return
      case UInt8(ascii: "\\"):
        append(start..<position, to: &text)
        position += 1
        try readEscape(appendingTo: &text)
        start = position
      case 0..<0x20: throw error("a control character inside a string must be escaped", at: position)
      default: position += 1
      }
    }
    throw unexpected("the closing quotation mark")
  }

  private func append(_ range: Range<Int>, to text: inout [UInt8]) {
    for index in range { text.append(bytes[index]) }
  }

  private mutating func readEscape(appendingTo text: inout [UInt8]) throws {
    guard let escape = peekByte() else { throw unexpected("an escape") }
    switch escape {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(escape)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      position += 1
      text.append(contentsOf: UTF8.encode(try readEscapedScalar())!)
      return
    default: throw unexpected("one of \" \\ / b f n r t u after a backslash")
    }
    position += 1
  }

  private mutating func readEscapedScalar() throws -> Unicode.Scalar {
    let start = position
    let unit = try readFourDigits()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    guard UTF16.isLeadSurrogate(UInt16(unit)), peekByte() == UInt8(ascii: "\\") else {
      throw loneSurrogate(unit, start)
    }
    position += 1
    guard peekByte() == UInt8(ascii: "u") else { throw loneSurrogate(unit, start) }
    position += 1
    let trail = try readFourDigits()
    guard UTF16.isTrailSurrogate(UInt16(trail)) else { throw loneSurrogate(unit, start) }
    return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (trail - 0xDC00))!
  }

  private mutating func readFourDigits() throws -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peekByte(), let digit = Self.hexDigit(byte) else { throw unexpected("four hexadecimal digits") }
      unit = unit << 4 | digit
      position += 1
    }
    return unit
  }

  private static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
  }

  private func loneSurrogate(_ unit: UInt32, _ offset: Int) -> any Error {
    error("\\u\(String(unit, radix: 16)) is half of a surrogate pair and names no character", at: offset)
  }
}
