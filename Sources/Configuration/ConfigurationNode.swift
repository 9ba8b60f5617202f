import Diagnostics

/// A value of a configuration with the place it was written at.
public struct ConfigurationNode: Sendable {
  public enum Value: Sendable {
    /// A text; `isPlain` where it was written without quotes, so that it may also stand for a number, a truth value or
    /// null. What it is, the type it is read as decides.
    case scalar(String, isPlain: Bool)
    case sequence([ConfigurationNode])
    /// Keys in the order of the file, each once.
    case mapping([Entry])
  }

  /// One key of a mapping.
  public struct Entry: Sendable {
    public var key: String
    public var place: Place
    public var value: ConfigurationNode

    public init(key: String, place: Place, value: ConfigurationNode) {
      self.key = key
      self.place = place
      self.value = value
    }
  }

  /// Where something was written: a line of a file, or an override such as `--set a.b=c`.
  public struct Place: Sendable, Equatable {
    public var file: String
    /// One-based; nil for an override, which has no lines.
    public var line: Int?

    public init(file: String, line: Int?) {
      self.file = file
      self.line = line
    }
  }

  public var value: Value
  public var place: Place

  public init(_ value: Value, at place: Place) {
    self.value = value
    self.place = place
  }

  /// True for `null`, `~` and nothing at all, unquoted.
  public var isNull: Bool {
    guard case .scalar(let text, isPlain: true) = value else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(text)
  }

  /// The value under a key of a mapping; nil elsewhere.
  public subscript(key: String) -> ConfigurationNode? {
    guard case .mapping(let entries) = value else { return nil }
    return entries.first { $0.key == key }?.value
  }

  /// What it is, for messages.
  var kind: String {
    if isNull { return "null" }
    return switch value {
    case .scalar(let text, _): "'\(text)'"
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }

  /// A diagnostic of category `input` at this node.
  func diagnostic(_ message: String, field: String, remedy: String? = nil) -> Diagnostic {
    .input(message, file: place.file, line: place.line, field: field.isEmpty ? nil : field, remedy: remedy)
  }
}

extension ConfigurationNode: Equatable {
  /// Equal in what they say; where and how that was written does not count, but a quoted `"1"` is not a plain `1`.
  public static func == (a: ConfigurationNode, b: ConfigurationNode) -> Bool {
    switch (a.value, b.value) {
    case (.scalar(let a, let aPlain), .scalar(let b, let bPlain)): a == b && aPlain == bPlain
    case (.sequence(let a), .sequence(let b)): a == b
    case (.mapping(let a), .mapping(let b)): a.elementsEqual(b) { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }
}
