/// The escapes of string literals, as Python's codec `unicode-escape` reads them.
struct StringEscapes {
  struct Fault: Error {
    var message: String
  }

  private let bytes: [UInt8]
  private var position = 0
  private var result: [UInt8] = []

  /// The bytes that a literal stands for.
  static func resolved(_ literal: [UInt8]) throws(Fault) -> [UInt8] {
    guard literal.contains(UInt8(ascii: "\\")) else { return literal }
    var escapes = StringEscapes(bytes: plain(literal))
    while escapes.position < escapes.bytes.count { try escapes.passOne() }
    return escapes.result
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  /// A literal in which a backslash before a character beyond ASCII stands before that character's escape, as Jinja
  /// writes out such characters before it looks at backslashes.
  private static func plain(_ literal: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var isEscaped = false
    var offset = 0
    while offset < literal.count {
      let length = Text.length(literal[offset])
      if isEscaped, length > 1 {
        let value = Text.scalar(literal, at: offset).value
        let digits = value < 0x100 ? ("x", 2) : value < 0x10000 ? ("u", 4) : ("U", 8)
        result += Array("\\\(digits.0)\(JinjaQuote.hexadecimal(value, digits: digits.1))".utf8)
      } else {
        result += literal[offset..<(offset + length)]
      }
      isEscaped = literal[offset] == UInt8(ascii: "\\") && !isEscaped
      offset += length
    }
    return result
  }

  private mutating func passOne() throws(Fault) {
    let byte = bytes[position]
    position += 1
    guard byte == UInt8(ascii: "\\"), position < bytes.count else { return result.append(byte) }
    let escape = bytes[position]
    position += 1
    switch escape {
    case 0x0A: break
    case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): result.append(escape)
    case UInt8(ascii: "a"): result.append(0x07)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "v"): result.append(0x0B)
    case UInt8(ascii: "x"): try passHexadecimal(2)
    case UInt8(ascii: "u"): try passHexadecimal(4)
    case UInt8(ascii: "U"): try passHexadecimal(8)
    case UInt8(ascii: "N"): throw Fault(message: "characters by their names, such as \\N{BULLET}, are not supported")
    case UInt8(ascii: "0")...UInt8(ascii: "7"): try passOctal()
    default: result += [byte, escape]
    }
  }

  private mutating func passOctal() throws(Fault) {
    position -= 1
    var value: UInt32 = 0
    var count = 0
    while count < 3, position < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "7") ~= bytes[position] {
      value = value << 3 | UInt32(bytes[position] - UInt8(ascii: "0"))
      position += 1
      count += 1
    }
    try append(value)
  }

  private mutating func passHexadecimal(_ count: Int) throws(Fault) {
    var value: UInt32 = 0
    for _ in 0..<count {
      guard position < bytes.count, let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue,
        value < 1 << 28
      else { throw Fault(message: "a string has an escape with too few hexadecimal digits") }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    try append(value)
  }

  private mutating func append(_ value: UInt32) throws(Fault) {
    guard let scalar = Unicode.Scalar(value) else {
      throw Fault(message: "the escape \\u\(JinjaQuote.hexadecimal(value, digits: 4)) names no character")
    }
    result += Array(UTF8.encode(scalar)!)
  }
}

/// Small parts of messages and of written-out strings.
enum JinjaQuote {
  static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
  }

  static func quoted(_ scalar: Unicode.Scalar) -> String {
    scalar.value < 0x20 || scalar.value == 0x7F ? "0x\(String(scalar.value, radix: 16))" : "'\(scalar)'"
  }
}
