import Diagnostics

extension JSONFault {
  /// Passes over a string and gives its bytes, escapes resolved.
  mutating func passString() throws(Diagnostic) -> [UInt8] {
    position += 1
    var text: [UInt8] = []
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return text
      case UInt8(ascii: "\\"):
        position += 1
        text += try passEscape()
      case 0..<0x20: throw fault("a control character inside a string must be escaped", at: position)
      default:
        text.append(byte)
        position += 1
      }
    }
    throw unexpected("the closing quotation mark")
  }

  private mutating func passEscape() throws(Diagnostic) -> [UInt8] {
    guard let escape = peek() else { throw unexpected("an escape") }
    if take(UInt8(ascii: "u")) { return Array(UTF8.encode(try passScalar())!) }
    let byte: UInt8
    switch escape {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte = escape
    case UInt8(ascii: "b"): byte = 0x08
    case UInt8(ascii: "f"): byte = 0x0C
    case UInt8(ascii: "n"): byte = 0x0A
    case UInt8(ascii: "r"): byte = 0x0D
    case UInt8(ascii: "t"): byte = 0x09
    default: throw unexpected("one of \" \\ / b f n r t u after a backslash")
    }
    position += 1
    return [byte]
  }

  private mutating func passScalar() throws(Diagnostic) -> Unicode.Scalar {
    let start = position
    let unit = try passFourDigits()
    if let scalar = Unicode.Scalar(unit) { return scalar }
    guard UTF16.isLeadSurrogate(UInt16(unit)), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
      throw loneSurrogate(unit, start)
    }
    let trail = try passFourDigits()
    guard UTF16.isTrailSurrogate(UInt16(trail)) else { throw loneSurrogate(unit, start) }
    return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (trail - 0xDC00))!
  }

  private mutating func passFourDigits() throws(Diagnostic) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek(), let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw unexpected("four hexadecimal digits")
      }
      unit = unit << 4 | UInt32(digit)
      position += 1
    }
    return unit
  }

  private func loneSurrogate(_ unit: UInt32, _ offset: Int) -> Diagnostic {
    fault("\\u\(String(unit, radix: 16)) is half of a surrogate pair and names no character", at: offset)
  }
}
