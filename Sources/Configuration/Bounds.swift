import Diagnostics

/// Defaults and bounds of what a configuration file holds: no number gets past these that later arithmetic could not take.
extension KeyedDecodingContainer {
  /// The value of a key, or a default where the key is absent.
  package func value<Value: Decodable>(_ key: Key, default fallback: Value) throws -> Value {
    try decodeIfPresent(Value.self, forKey: key) ?? fallback
  }

  /// A count within limits, nil where the key is absent.
  package func count(_ key: Key, in limits: ClosedRange<Int>) throws -> Int? {
    try decodeIfPresent(Int.self, forKey: key) == nil ? nil : decode(key, in: limits)
  }

  /// A count of at least one and at most ``Limits/count``, or a default where the key is absent.
  package func positive(_ key: Key, default fallback: Int) throws -> Int {
    try count(key, in: 1...Limits.count) ?? fallback
  }

  /// A count from zero to ``Limits/count``, or a default where the key is absent.
  package func notNegative(_ key: Key, default fallback: Int) throws -> Int {
    try count(key, in: 0...Limits.count) ?? fallback
  }

  /// A finite number that is zero or more, or a default where the key is absent.
  package func notNegative<Value: Decodable & BinaryFloatingPoint>(_ key: Key, default fallback: Value) throws -> Value
  {
    let value = try finite(key, default: fallback)
    guard value >= 0 else { throw fault(key, "must not be negative, but is \(value)") }
    return value
  }

  /// A number that fp32 holds, or a default where the key is absent.
  package func finite<Value: Decodable & BinaryFloatingPoint>(_ key: Key, default fallback: Value) throws -> Value {
    let value = try value(key, default: fallback)
    guard Float(value).isFinite else { throw fault(key, "is \(value), but must be finite in fp32") }
    return value
  }
}
