public import Diagnostics

/// Short forms for a configuration type's `init(from:)`: defaults and limits.
extension KeyedDecodingContainer {
  /// The value under a key, or a default where the key is missing or null.
  public func decode<Value: Decodable>(_ key: Key, default standard: Value) throws -> Value {
    try decodeIfPresent(Value.self, forKey: key) ?? standard
  }

  /// The value under a key.
  public func decode<Value: Decodable>(_ key: Key) throws -> Value { try decode(Value.self, forKey: key) }

  /// A value within limits; the default where the key is missing or null.
  public func decode<Value: Decodable & Comparable>(
    _ key: Key, default standard: Value, in limits: ClosedRange<Value>
  ) throws -> Value {
    guard let value = try decodeIfPresent(Value.self, forKey: key) else { return standard }
    return try check(value, key, in: limits)
  }

  /// A value within limits.
  public func decode<Value: Decodable & Comparable>(_ key: Key, in limits: ClosedRange<Value>) throws -> Value {
    try check(decode(Value.self, forKey: key), key, in: limits)
  }

  /// A value above a bound; the default where the key is missing or null.
  public func decode<Value: Decodable & Comparable>(
    _ key: Key, default standard: Value, above bound: Value
  ) throws -> Value {
    guard let value = try decodeIfPresent(Value.self, forKey: key) else { return standard }
    return try check(value, key, above: bound)
  }

  /// A value above a bound.
  public func decode<Value: Decodable & Comparable>(_ key: Key, above bound: Value) throws -> Value {
    try check(decode(Value.self, forKey: key), key, above: bound)
  }

  /// A diagnostic at the value of a key, for what a type checks beyond limits; at the mapping where the key is missing.
  public func fault(_ key: Key, _ message: String, remedy: String? = nil) -> Diagnostic {
    if let decoder = try? superDecoder(forKey: key) as? NodeDecoder {
      return decoder.diagnostic(message, remedy: remedy)
    }
    if let decoder = try? superDecoder() as? NodeDecoder {
      return decoder.node.diagnostic(message, field: NodeDecoder.dotted(decoder.codingPath + [key]), remedy: remedy)
    }
    return .input(message, field: NodeDecoder.dotted(codingPath + [key]), remedy: remedy)
  }

  private func check<Value: Comparable>(_ value: Value, _ key: Key, in limits: ClosedRange<Value>) throws -> Value {
    guard limits.contains(value) else {
      throw fault(key, "is \(value), but must be from \(limits.lowerBound) to \(limits.upperBound)")
    }
    return value
  }

  private func check<Value: Comparable>(_ value: Value, _ key: Key, above bound: Value) throws -> Value {
    guard value > bound else { throw fault(key, "is \(value), but must be above \(bound)") }
    return value
  }
}
