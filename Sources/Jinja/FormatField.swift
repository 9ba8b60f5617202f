/// How a field of `str.format` is written, such as `>10.2f`.
struct FormatField {
  private var filler: Text?
  private var alignment: Unicode.Scalar?
  private var sign: Unicode.Scalar = "-"
  private var isAlternate = false
  private var width = 0
  private var divider: Unicode.Scalar?
  private var precision: Int?
  private var conversion: Unicode.Scalar?
  private let isPlain: Bool

  init(_ specification: Text) throws {
    isPlain = specification.isEmpty
    var rest = Array(specification.scalars)[...]
    let alignments = "<>=^".unicodeScalars
    if rest.count > 1, alignments.contains(rest[rest.startIndex + 1]), let scalar = rest.popFirst() {
      filler = Text(scalar)
      alignment = rest.popFirst()
    } else if let scalar = rest.first, alignments.contains(scalar) {
      alignment = rest.popFirst()
    }
    func isNext(_ set: String) -> Bool { rest.first.map { set.unicodeScalars.contains($0) } ?? false }
    if isNext("+- "), let scalar = rest.popFirst() { sign = scalar }
    if isNext("#") {
      isAlternate = true
      rest.removeFirst()
    }
    if isNext("0") {
      rest.removeFirst()
      if filler == nil { filler = "0" }
      if alignment == nil { alignment = "=" }
    }
    width = try Self.number(&rest) ?? 0
    if isNext(",_") { divider = rest.popFirst() }
    if isNext(".") {
      rest.removeFirst()
      guard let digits = try Self.number(&rest) else { throw JinjaFault("Format specifier missing precision") }
      precision = digits
    }
    conversion = rest.popFirst()
    guard rest.isEmpty else { throw JinjaFault("Invalid format specifier") }
  }

  private static func number(_ rest: inout ArraySlice<Unicode.Scalar>) throws -> Int? {
    var number: Int?
    while let digit = rest.first, (0x30...0x39).contains(digit.value) {
      number = 10 * (number ?? 0) + Int(digit.value - 0x30)
      guard number! < 1 << 31 else { throw JinjaFault("Too many decimal digits in format string") }
      rest.removeFirst()
    }
    return number
  }

  func formatted(_ value: Value, _ interpreter: Interpreter) throws -> Text {
    if isPlain { return try interpreter.text(value) }
    try interpreter.meter.text(bytes: width)
    switch value {
    case .text(let text): return try formatted(text, interpreter)
    case .bool, .integer:
      guard let number = value.integer else { return "" }
      if let conversion, "eEfFgG%".unicodeScalars.contains(conversion) {
        return try formatted(Double(number), interpreter)
      }
      return try formatted(number, interpreter)
    case .double(let number): return try formatted(number, interpreter)
    default: throw JinjaFault("unsupported format string passed to \(value.typeName).__format__")
    }
  }

  private func formatted(_ text: Text, _ interpreter: Interpreter) throws -> Text {
    guard conversion == nil || conversion == "s", alignment != "=", divider == nil else {
      throw JinjaFault("the format of a string is not valid")
    }
    let shown = precision.map { $0 < text.count ? text.part(0..<$0) : text } ?? text
    return try padded("", shown, fallback: "<", interpreter)
  }

  private func formatted(_ number: Int, _ interpreter: Interpreter) throws -> Text {
    guard precision == nil else { throw JinjaFault("Precision not allowed in integer format specifier") }
    let radixes: [Unicode.Scalar: Int] = ["d": 10, "n": 10, "b": 2, "o": 8, "x": 16, "X": 16]
    if conversion == "c", let scalar = UInt32(exactly: number).flatMap(Unicode.Scalar.init) {
      return try padded("", Text(scalar), fallback: "<", interpreter)
    }
    guard let radix = radixes[conversion ?? "d"] else {
      throw JinjaFault("Unknown format code '\(conversion ?? "d")' for object of type 'int'")
    }
    let digits = String(number.magnitude, radix: radix, uppercase: conversion == "X")
    let prefix = isAlternate && radix != 10 ? "0\(conversion ?? "d")" : ""
    return try padded(
      signText(number < 0) + prefix, divided(digits, by: radix == 10 ? 3 : 4), fallback: ">", interpreter)
  }

  private func formatted(_ number: Double, _ interpreter: Interpreter) throws -> Text {
    try interpreter.meter.text(bytes: precision ?? 0)
    let size = number.magnitude
    var text: String
    switch conversion {
    case nil where precision == nil: text = FloatText.shortest(size)
    case nil:
      // As `g` does, with at least one digit behind the point.
      text = Numbers.printed(size, "g", max(1, precision ?? 6))
      if !text.contains("."), !text.contains("e"), size.isFinite { text += ".0" }
    case "%": text = size.isFinite ? Numbers.printed(100 * size, "f", precision ?? 6) + "%" : "\(size)%"
    case let conversion? where "eEfFgGn".unicodeScalars.contains(conversion):
      text = Numbers.printed(
        size, conversion == "n" ? "g" : Character(conversion), precision ?? 6, alternate: isAlternate)
    default: throw JinjaFault("Unknown format code '\(conversion ?? "f")' for object of type 'float'")
    }
    let end = text.firstIndex { !$0.isNumber } ?? text.endIndex
    let whole = divided(String(text[..<end]), by: 3)
    return try padded(signText(number.sign == .minus), whole + Text(String(text[end...])), fallback: ">", interpreter)
  }

  private func signText(_ isNegative: Bool) -> String { isNegative ? "-" : sign == "-" ? "" : "\(sign)" }

  private func divided(_ digits: String, by size: Int) -> Text {
    guard let divider else { return Text(digits) }
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % size == 0 { text += "\(divider)" }
      text.append(digit)
    }
    return Text(text)
  }

  private func padded(
    _ sign: String, _ text: Text, fallback: Unicode.Scalar, _ interpreter: Interpreter
  ) throws -> Text {
    let missing = max(0, width - sign.utf8.count - text.count)
    let filler = filler ?? " "
    try interpreter.meter.text(bytes: text.bytes.count + Text.product(missing, filler.bytes.count))
    func fill(_ count: Int) -> Text { Text(Array(repeatElement(filler.bytes, count: count).joined())) }
    switch alignment ?? fallback {
    case "<": return Text(sign) + text + fill(missing)
    case "^": return fill(missing / 2) + Text(sign) + text + fill(missing - missing / 2)
    case "=": return Text(sign) + fill(missing) + text
    default: return fill(missing) + Text(sign) + text
    }
  }
}
