/// A type that a single scalar is read as.
protocol ScalarValue {
  /// Nil where the text does not fit; `isPlain` where it was written without quotes.
  static func read(_ text: String, isPlain: Bool) -> Self?
  /// What a fitting text is, completing "is not ...".
  static var expectation: String { get }
}

extension String: ScalarValue {
  static func read(_ text: String, isPlain: Bool) -> String? { text }
  static var expectation: String { "a text" }
}

extension Bool: ScalarValue {
  // YAML 1.1 has yes, no, on and off as well, which is how Norway's country code became false.
  static func read(_ text: String, isPlain: Bool) -> Bool? { isPlain ? ["true": true, "false": false][text] : nil }
  static var expectation: String { "true or false" }
}

extension ScalarValue where Self: FixedWidthInteger {
  static func read(_ text: String, isPlain: Bool) -> Self? {
    // A leading zero would mean octal to YAML 1.1 and decimal to people.
    let digits = text.drop { $0 == "-" || $0 == "+" }
    guard isPlain, digits == "0" || !digits.hasPrefix("0") else { return nil }
    return Self(text)
  }
  static var expectation: String { "a whole number from \(Self.min) to \(Self.max)" }
}

extension Int: ScalarValue { static var expectation: String { "a whole number" } }
extension Int8: ScalarValue {}
extension Int16: ScalarValue {}
extension Int32: ScalarValue {}
extension Int64: ScalarValue { static var expectation: String { "a whole number" } }
extension UInt: ScalarValue {}
extension UInt8: ScalarValue {}
extension UInt16: ScalarValue {}
extension UInt32: ScalarValue {}
extension UInt64: ScalarValue {}

extension ScalarValue where Self: LosslessStringConvertible & BinaryFloatingPoint {
  static func read(_ text: String, isPlain: Bool) -> Self? {
    // Swift would take hexadecimal floats, nan and infinity as well.
    guard isPlain, text.utf8.allSatisfy({ "0123456789+-.eE".utf8.contains($0) }) else { return nil }
    guard let value = Self(text), value.isFinite else { return nil }
    return value
  }
  static var expectation: String { "a finite number" }
}

extension Double: ScalarValue {}
extension Float: ScalarValue {}
