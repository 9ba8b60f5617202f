public import Diagnostics

/// A value together with where it stands, so that what is wrong with it can be said as `file: a.b[2]: ...`.
///
/// ```swift
/// let configuration = JSONField(try JSONValue.parse(bytes, file: path), file: path)
/// let layers = try configuration.required("num_hidden_layers").integer(in: 1...10_000)
/// let theta = try configuration.optional("rope_theta")?.double() ?? 10_000
/// ```
public struct JSONField: Sendable {
  public let value: JSONValue
  /// The file the value was read from, as the user wrote it.
  public let file: String?
  /// The dotted path from the document's root, such as `rope_scaling.factor`; empty at the root.
  public let path: String

  /// The root of a document.
  public init(_ value: JSONValue, file: String? = nil) { self.init(value, file: file, path: "") }

  private init(_ value: JSONValue, file: String?, path: String) {
    self.value = value
    self.file = file
    self.path = path
  }

  /// A diagnostic of category `input` at this field.
  public func diagnostic(_ message: String, remedy: String? = nil) -> Diagnostic {
    .input(message, file: file, field: path.isEmpty ? nil : path, remedy: remedy)
  }

  /// The member under a key.
  ///
  /// - Throws: a `Diagnostic` when this is no object, or the key is missing.
  public func required(_ key: String) throws -> JSONField {
    guard let member = try object()[key] else { throw child(.null, key).diagnostic("is missing") }
    return child(member, key)
  }

  /// The member under a key, nil when it is missing or `null`.
  ///
  /// - Throws: a `Diagnostic` when this is no object.
  public func optional(_ key: String) throws -> JSONField? {
    guard let member = try object()[key], !member.isNull else { return nil }
    return child(member, key)
  }

  /// The members of an object in order.
  ///
  /// - Throws: a `Diagnostic` when this is no object.
  public func members() throws -> [(key: String, field: JSONField)] {
    try object().entries.map { ($0.key, child($0.value, $0.key)) }
  }

  /// The elements of an array.
  ///
  /// - Throws: a `Diagnostic` when this is no array.
  public func elements() throws -> [JSONField] {
    guard let elements = value.arrayValue else { throw mismatch("an array") }
    return elements.enumerated().map { JSONField($0.element, file: file, path: "\(path)[\($0.offset)]") }
  }

  /// The object itself.
  ///
  /// - Throws: a `Diagnostic` when this is no object.
  public func object() throws -> JSONObject {
    guard let object = value.objectValue else { throw mismatch("an object") }
    return object
  }

  /// The text of a string.
  ///
  /// - Throws: a `Diagnostic` when this is no string.
  public func string() throws -> String {
    guard let text = value.stringValue else { throw mismatch("a string") }
    return text
  }

  /// The truth value.
  ///
  /// - Throws: a `Diagnostic` when this is no truth value.
  public func bool() throws -> Bool {
    guard let flag = value.boolValue else { throw mismatch("true or false") }
    return flag
  }

  /// The number as a double.
  ///
  /// - Throws: a `Diagnostic` when this is no number.
  public func double() throws -> Double {
    guard let number = value.doubleValue else { throw mismatch("a number") }
    return number
  }

  /// The number as an integer of a range; a double such as `4.0` counts.
  ///
  /// - Throws: a `Diagnostic` when this is no whole number or lies outside `range`.
  public func integer(in range: ClosedRange<Int> = .min ... .max) throws -> Int {
    guard let number = value.intValue else { throw mismatch("an integer") }
    guard range.contains(number) else {
      let bound = number < range.lowerBound ? "at least \(range.lowerBound)" : "at most \(range.upperBound)"
      throw diagnostic("is \(number), but must be \(bound)")
    }
    return number
  }

  private func child(_ value: JSONValue, _ key: String) -> JSONField {
    JSONField(value, file: file, path: path.isEmpty ? key : "\(path).\(key)")
  }

  private func mismatch(_ expected: String) -> Diagnostic {
    diagnostic("is \(value.kind), but must be \(expected)")
  }
}
