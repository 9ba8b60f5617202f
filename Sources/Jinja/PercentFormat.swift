/// The operator `%` of strings: `"%s, %d" % (a, b)`.
struct PercentFormat {
  private let format: [Unicode.Scalar]
  private let interpreter: Interpreter
  private var position = 0
  private var result: [UInt8] = []

  init(_ format: Text, _ interpreter: Interpreter) {
    self.format = Array(format.scalars)
    self.interpreter = interpreter
  }

  mutating func formatted(_ value: Value) throws -> Text {
    var values = if case .tuple(let list) = value { list.elements[...] } else { [value][...] }
    var usesNames = false
    while position < format.count {
      let scalar = format[position]
      position += 1
      guard scalar == "%" else {
        result += UTF8.encode(scalar)!
        continue
      }
      var given: Value?
      if next == "(" {
        usesNames = true
        given = try named(value)
      }
      let field = try self.field { try Self.take(&values) }
      if field.conversion == "%" {
        result.append(UInt8(ascii: "%"))
      } else {
        try append(given ?? Self.take(&values), field)
      }
      try interpreter.meter.text(bytes: result.count)
    }
    let isMapping = if case .dictionary = value { true } else { false }
    guard values.isEmpty || usesNames || isMapping else {
      throw JinjaFault("not all arguments converted during string formatting")
    }
    return Text(result)
  }

  private struct Field {
    var flags: Set<Unicode.Scalar> = []
    var width = 0
    var precision: Int?
    var conversion: Unicode.Scalar = "s"
  }

  private var next: Unicode.Scalar? { position < format.count ? format[position] : nil }

  private static func take(_ values: inout ArraySlice<Value>) throws -> Value {
    guard let value = values.popFirst() else { throw JinjaFault("not enough arguments for format string") }
    return value
  }

  private mutating func named(_ value: Value) throws -> Value {
    var name = Text([])
    position += 1
    while let scalar = next, scalar != ")" {
      name.bytes += UTF8.encode(scalar)!
      position += 1
    }
    guard next == ")" else { throw JinjaFault("incomplete format key") }
    position += 1
    guard case .dictionary(let dictionary) = value else { throw JinjaFault("format requires a mapping") }
    guard let found = dictionary[name] else { throw JinjaFault("the key '\(name.string)' is missing for a format") }
    return found
  }

  private mutating func field(_ take: () throws -> Value) throws -> Field {
    var field = Field()
    while let flag = next, "#0- +".unicodeScalars.contains(flag) {
      field.flags.insert(flag)
      position += 1
    }
    field.width = try number(take) ?? 0
    if field.width < 0 {
      field.flags.insert("-")
      field.width = -field.width
    }
    if next == "." {
      position += 1
      field.precision = max(0, try number(take) ?? 0)
    }
    while let modifier = next, "hlL".unicodeScalars.contains(modifier) { position += 1 }
    guard let conversion = next else { throw JinjaFault("incomplete format") }
    position += 1
    field.conversion = conversion
    return field
  }

  private mutating func number(_ take: () throws -> Value) throws -> Int? {
    if next == "*" {
      position += 1
      guard let number = try take().integer, abs(number) < 1 << 31 else { throw JinjaFault("* wants int") }
      return number
    }
    var number: Int?
    while let digit = next, digit.value < 0x80, digit.isPythonDecimal {
      number = 10 * (number ?? 0) + Int(digit.value - 0x30)
      guard number! < 1 << 31 else { throw JinjaFault("width too big") }
      position += 1
    }
    return number
  }

  private mutating func append(_ value: Value, _ field: Field) throws {
    var text: Text
    var sign = ""
    switch field.conversion {
    case "s", "r", "a":
      text = field.conversion == "s" ? try interpreter.text(value) : try interpreter.representation(value)
      if let precision = field.precision, precision < text.count { text = text.part(0..<precision) }
    case "c":
      if case .text(let character) = value, character.count == 1 {
        text = character
      } else if let number = value.integer, let scalar = UInt32(exactly: number).flatMap(Unicode.Scalar.init) {
        text = Text(scalar)
      } else {
        throw JinjaFault("%c requires int or char")
      }
    case "d", "i", "u", "x", "X", "o", "e", "E", "f", "F", "g", "G":
      (sign, text) = try number(value, field)
    default: throw JinjaFault("unsupported format character '\(field.conversion)'")
    }
    let isNumber = !"srac".unicodeScalars.contains(field.conversion)
    let missing = max(0, field.width - text.count - sign.utf8.count)
    try interpreter.meter.text(bytes: missing + text.bytes.count)
    let fill = [UInt8](repeating: 0x20, count: missing)
    if field.flags.contains("-") {
      result += sign.utf8 + text.bytes + fill
    } else if isNumber, field.flags.contains("0") {
      result += sign.utf8 + [UInt8](repeating: 0x30, count: missing) + text.bytes
    } else {
      result += fill + sign.utf8 + text.bytes
    }
  }

  private func number(_ value: Value, _ field: Field) throws -> (sign: String, digits: Text) {
    guard let number = value.number else {
      try interpreter.refuseUndefined(value)
      throw JinjaFault("%\(field.conversion) format: a number is required, not \(value.typeName)")
    }
    let isNegative = number.sign == .minus
    var sign = isNegative ? "-" : field.flags.contains("+") ? "+" : field.flags.contains(" ") ? " " : ""
    if "eEfFgG".unicodeScalars.contains(field.conversion) {
      let precision = field.precision ?? 6
      try interpreter.meter.text(bytes: precision)
      let text = Numbers.printed(
        number.magnitude, Character(field.conversion), precision, alternate: field.flags.contains("#"))
      return (sign, Text(text))
    }
    let isDecimal = "diu".unicodeScalars.contains(field.conversion)
    guard let whole = value.integer ?? (isDecimal ? Int(exactly: number.rounded(.towardZero)) : nil) else {
      throw JinjaFault("%\(field.conversion) format: an integer is required, not \(value.typeName)")
    }
    let radix = isDecimal ? 10 : field.conversion == "o" ? 8 : 16
    var digits = String(whole.magnitude, radix: radix, uppercase: field.conversion == "X")
    if let precision = field.precision, precision > digits.utf8.count {
      try interpreter.meter.text(bytes: precision)
      digits = String(repeating: "0", count: precision - digits.utf8.count) + digits
    }
    if field.flags.contains("#"), radix != 10 { sign += "0\(field.conversion)" }
    return (sign, Text(digits))
  }
}
