public import JSON

extension ConfigurationNode {
  /// A tree that says what a JSON value says: strings quoted, everything else plain.
  ///
  /// - Parameter place: Where it comes from, for messages.
  public init(_ json: JSONValue, at place: Place) {
    let made: Value =
      switch json {
      case .null: .scalar("null", isPlain: true)
      case .bool, .integer, .double: .scalar(json.text(nonFinite: .null), isPlain: true)
      case .string(let text): .scalar(text, isPlain: false)
      case .array(let elements): .sequence(elements.map { ConfigurationNode($0, at: place) })
      case .object(let object):
        .mapping(
          object.entries.map { Entry(key: $0.key, place: place, value: ConfigurationNode($0.value, at: place)) })
      }
    self.init(made, at: place)
  }

  /// The tree as JSON: unquoted scalars are null, `true`, `false`, integers and doubles where they look like it.
  public var json: JSONValue {
    switch value {
    case .sequence(let elements): return .array(elements.map(\.json))
    case .mapping(let entries): return .object(JSONObject(entries.map { ($0.key, $0.value.json) }))
    case .scalar(let text, let isPlain):
      if isNull { return .null }
      if let flag = Bool.read(text, isPlain: isPlain) { return .bool(flag) }
      if let number = Int64.read(text, isPlain: isPlain) { return .integer(number) }
      if let number = Double.read(text, isPlain: isPlain) { return .double(number) }
      return .string(text)
    }
  }
}

extension ConfigurationNode {
  /// The same with whole numbers quoted that `Int64` does not hold.
  fileprivate var withLargeNumbersQuoted: ConfigurationNode {
    var copy = self
    switch value {
    case .sequence(let elements): copy.value = .sequence(elements.map(\.withLargeNumbersQuoted))
    case .mapping(let entries):
      copy.value = .mapping(
        entries.map { Entry(key: $0.key, place: $0.place, value: $0.value.withLargeNumbersQuoted) })
    case .scalar(let text, let isPlain):
      let isLarge = Int64.read(text, isPlain: isPlain) == nil && UInt64.read(text, isPlain: isPlain) != nil
      if isLarge { copy.value = .scalar(text, isPlain: false) }
    }
    return copy
  }
}

extension JSONValue {
  /// The canonical JSON of a value: as it encodes itself, with every default in place, what is nil left out, and the keys of
  /// every object in the order of their UTF-8 bytes; a whole number beyond 64 bits with a sign, such as a large seed, is a
  /// string, since no double holds it. Equal values have equal canonical JSON, however they were written, and others do not.
  ///
  /// - Throws: an `EncodingError` for a number that is not finite.
  public init(canonical value: some Encodable) throws {
    self = try NodeEncoder.node(value).withLargeNumbersQuoted.json.sorted
  }

  /// The same with the keys of every object sorted.
  private var sorted: JSONValue {
    switch self {
    case .array(let elements): .array(elements.map(\.sorted))
    case .object(let object):
      .object(
        JSONObject(
          object.entries.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
            ($0.key, $0.value.sorted)
          }))
    default: self
    }
  }

  /// The first place at which two canonical values differ, as a dotted path, with what stands there in either: nil for
  /// nothing. Keys that both have come before those of one alone, which often follow from the others. Nil where they are
  /// equal.
  public func firstDifference(from other: JSONValue) -> (key: String, this: JSONValue?, other: JSONValue?)? {
    Self.firstDifference(self, other, path: "")
  }

  private static func firstDifference(
    _ one: JSONValue?, _ other: JSONValue?, path: String
  ) -> (key: String, this: JSONValue?, other: JSONValue?)? {
    if one == other { return nil }
    guard case .object(let left)? = one, case .object(let right)? = other else { return (path, one, other) }
    let keys = Set(left.keys + right.keys).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let shared = keys.filter { left[$0] != nil && right[$0] != nil }
    for key in shared + keys.filter({ left[$0] == nil || right[$0] == nil }) {
      let place = path.isEmpty ? key : "\(path).\(key)"
      if let found = firstDifference(left[key], right[key], path: place) { return found }
    }
    return nil
  }
}
