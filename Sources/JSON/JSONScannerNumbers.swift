extension JSONScanner {
  /// Reads a number: an integer where it is written as one and fits 64 bits, else the nearest double.
  mutating func readNumber() throws -> JSONValue {
    let start = position
    let negative = take(UInt8(ascii: "-"))
    var magnitude: UInt64 = 0
    var fits = true
    if !take(UInt8(ascii: "0")) {
      guard isDigit else { throw unexpected("a digit") }
      while isDigit {
        let (product, overflowed) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, carried) = product.addingReportingOverflow(UInt64(bytes[position] - UInt8(ascii: "0")))
        magnitude = sum
        if overflowed || carried { fits = false }
        position += 1
      }
    } else if isDigit {
      throw error("a number must not start with 0", at: start)
    }
    var isWhole = true
    if take(UInt8(ascii: ".")) {
      isWhole = false
      try takeDigits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isWhole = false
      if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
      try takeDigits()
    }
    if isWhole && fits, let integer = Self.integer(magnitude, negative: negative) { return .integer(integer) }
    return .double(try double(from: start))
  }

  /// The exact integer; nil beyond 64 bits, and for `-0`, whose sign only a double keeps.
  private static func integer(_ magnitude: UInt64, negative: Bool) -> Int64? {
    if !negative { return Int64(exactly: magnitude) }
    if magnitude == 0 { return nil }
    return magnitude <= UInt64(Int64.max) ? -Int64(magnitude) : magnitude == 1 << 63 ? .min : nil
  }

  private func double(from start: Int) throws -> Double {
    var digits = ""
    for index in start..<position { digits.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
    guard let number = Double(digits), number.isFinite else {
      throw error("the number \(digits.prefix(40)) is beyond the range of a double", at: start)
    }
    return number
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peekByte() == byte else { return false }
    position += 1
    return true
  }

  private mutating func takeDigits() throws {
    guard isDigit else { throw unexpected("a digit") }
    while isDigit { position += 1 }
  }

  private var isDigit: Bool {
    guard let byte = peekByte() else { return false }
    return byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }
}
