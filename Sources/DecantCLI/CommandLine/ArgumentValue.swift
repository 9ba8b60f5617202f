import Diagnostics

/// A type that a word of the command line can be read as.
package protocol ArgumentValue: Sendable {
  /// Reads a word; nil where it does not fit.
  init?(argument: String)
  /// What a fitting word is, such as `a whole number`.
  static var expectation: String { get }
  /// The word that reads as this value, for the help.
  var argumentText: String { get }
}

/// A word that does not fit its parameter; the parser adds which one.
package struct ValueFault: Error {
  package var message: String
}

extension String: ArgumentValue {
  package init?(argument: String) { self = argument }
  package static var expectation: String { "a text" }
  package var argumentText: String { self }
}

extension Int: ArgumentValue {
  package init?(argument: String) { self.init(argument) }
  package static var expectation: String { "a whole number" }
  package var argumentText: String { description }
}

extension UInt64: ArgumentValue {
  package init?(argument: String) { self.init(argument) }
  package static var expectation: String { "a whole number from 0 to 18446744073709551615" }
  package var argumentText: String { description }
}

extension Double: ArgumentValue {
  package init?(argument: String) {
    guard let value = Double(argument), value.isFinite else { return nil }
    self = value
  }
  package static var expectation: String { "a finite number" }
  package var argumentText: String { self == rounded() && magnitude < 1e15 ? String(Int(self)) : description }
}

/// An enumeration whose raw values are the words allowed.
extension ArgumentValue where Self: RawRepresentable<String> & CaseIterable {
  package init?(argument: String) { self.init(rawValue: argument) }
  package static var expectation: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }
  package var argumentText: String { rawValue }
}

/// Which values of a type a parameter takes.
package struct Allowed<Value: ArgumentValue>: Sendable {
  private let expectation: String
  private let contains: @Sendable (Value) -> Bool

  /// Any value of the type.
  package static var any: Allowed { Allowed(expectation: Value.expectation) { _ in true } }

  /// Values that fulfil a condition; `expectation` completes the sentence "is not ...".
  package static func only(_ expectation: String, where contains: @escaping @Sendable (Value) -> Bool) -> Allowed {
    Allowed(expectation: expectation, contains: contains)
  }

  package func read(_ word: String) throws -> Value {
    guard let value = Value(argument: word), contains(value) else {
      throw ValueFault(message: "'\(word)' is not \(expectation)")
    }
    return value
  }
}

extension Allowed where Value: Comparable {
  /// Values of a closed range.
  package static func range(_ range: ClosedRange<Value>) -> Allowed {
    let (low, high) = (range.lowerBound.argumentText, range.upperBound.argumentText)
    return only("\(Value.expectation) from \(low) to \(high)") { range.contains($0) }
  }

  /// Values of at least `bound`.
  package static func atLeast(_ bound: Value) -> Allowed {
    only("\(Value.expectation) of at least \(bound.argumentText)") { $0 >= bound }
  }
}

extension Allowed where Value == Int {
  /// Counts of at least `low` and at most `Limits.count`, which later arithmetic can take.
  package static func count(from low: Int) -> Allowed { range(low...Limits.count) }
}
