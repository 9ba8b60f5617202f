import Glibc

/// Numbers as Python reads and rounds them.
enum Numbers {
  /// `int(value, base)`, or what `float` makes of it; nil where neither can.
  static func integer(_ value: Value, base: Int) throws -> Value? {
    if case .text(let text) = value {
      if let number = parsed(text, base: base) { return .integer(number) }
    } else if let number = value.integer {
      return .integer(number)
    }
    guard let number = double(value), number.isFinite else { return nil }
    guard let whole = Int(exactly: number.rounded(.towardZero)) else {
      throw JinjaFault("an integer is beyond 64 bits, which is not supported")
    }
    return .integer(whole)
  }

  private static func parsed(_ text: Text, base: Int) -> Int? {
    var digits = Substring(text.stripped(characters: nil).string)
    let isNegative = digits.first == "-"
    if isNegative || digits.first == "+" { digits = digits.dropFirst() }
    var base = base
    let prefixes = ["0b": 2, "0o": 8, "0x": 16]
    if let found = prefixes[digits.prefix(2).lowercased()], base == 0 || base == found {
      base = found
      digits = digits.dropFirst(2)
      if digits.first == "_" { digits = digits.dropFirst() }
    } else if base == 0 {
      if digits.utf8.count > 1, digits.first == "0", digits.contains(where: { $0 != "0" && $0 != "_" }) { return nil }
      base = 10
    }
    guard 2...36 ~= base, let plain = withoutDividers(digits), plain.first != "-", plain.first != "+" else {
      return nil
    }
    return Int((isNegative ? "-" : "") + plain, radix: base)
  }

  /// Digits without the single underscores between them; nil where an underscore stands elsewhere.
  private static func withoutDividers(_ digits: Substring) -> String? {
    guard !digits.isEmpty, digits.first != "_", digits.last != "_", !digits.contains("__") else { return nil }
    return digits.filter { $0 != "_" }
  }

  /// `float(value)`; nil where Python cannot.
  static func double(_ value: Value) -> Double? {
    guard case .text(let text) = value else { return value.number }
    let plain = text.stripped(characters: nil).string
    let word = plain.lowercased()
    let unsigned = word.hasPrefix("-") || word.hasPrefix("+") ? String(word.dropFirst()) : word
    let sign: Double = word.hasPrefix("-") ? -1 : 1
    if ["inf", "infinity"].contains(unsigned) { return sign * .infinity }
    if unsigned == "nan" { return .nan }
    guard let first = unsigned.first, first == "." || first.isNumber, !unsigned.contains("x"), !unsigned.contains("p")
    else { return nil }
    var digits = ""
    var before: Character = "_"
    for (character, next) in zip(plain, plain.dropFirst() + "_") {
      if character == "_" {
        guard before.isNumber, next.isNumber else { return nil }
      } else {
        digits.append(character)
      }
      before = character
    }
    return Double(digits)
  }

  /// `round(number, precision)`: the nearest decimal to the exact value of the number, the even one of two.
  static func rounded(_ number: Double, _ precision: Int) -> Double {
    guard number.isFinite, precision < 323 else { return number }
    guard precision >= -308 else { return Double(signOf: number, magnitudeOf: 0) }
    if precision >= 0 { return Double(fixed(number, precision)) ?? number }
    let power = pow(10, Double(-precision))
    return (number / power).rounded(.toNearestOrEven) * power
  }

  static func rounded(_ number: Int, _ precision: Int) -> Int {
    guard precision < 0 else { return number }
    guard precision >= -18 else { return 0 }
    let power = (0..<(-precision)).reduce(1) { power, _ in power * 10 }
    let (quotient, remainder) = number.quotientAndRemainder(dividingBy: power)
    let twice = 2 * remainder.magnitude
    let isUp = twice > power.magnitude || (twice == power.magnitude && quotient % 2 != 0)
    return (quotient + (isUp ? number.signum() : 0)) &* power
  }

  /// Rounds up or down, by way of a power of ten, as Jinja does.
  static func directed(
    _ value: Value, _ precision: Int, _ rule: FloatingPointRoundingRule, _ interpreter: Interpreter
  ) throws -> Value {
    let power = try interpreter.arithmetic(.power, .integer(10), .integer(precision))
    let product = try interpreter.arithmetic(.multiply, value, power)
    let whole: Value
    if let integer = product.integer {
      whole = .integer(integer)
    } else {
      guard let number = product.number, let exact = Int(exactly: number.rounded(rule)) else {
        throw JinjaFault("a number is too large to round")
      }
      whole = .integer(exact)
    }
    return try interpreter.arithmetic(.divide, whole, power)
  }

  /// A number with so many digits behind the point, rounded from its exact value.
  static func fixed(_ number: Double, _ digits: Int) -> String { printed(number, "f", digits) }

  /// A number as C's `printf` writes it.
  static func printed(_ number: Double, _ conversion: Character, _ precision: Int, alternate: Bool = false) -> String {
    var buffer = [CChar](repeating: 0, count: 400 + max(precision, 0))
    let format = "%\(alternate ? "#" : "").\(precision)\(conversion)"
    let count = buffer.count
    _ = unsafe buffer.withUnsafeMutableBufferPointer { bytes in
      unsafe withVaList([number]) { unsafe vsnprintf(bytes.baseAddress, count, format, $0) }
    }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
