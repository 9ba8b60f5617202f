public import JSON

/// A part of a configuration whose keys are not Decant's to know, such as a model's `config.json`.
public struct FreeForm: Codable, Sendable, Equatable {
  /// The part as JSON: unquoted scalars are null, `true`, `false`, integers and doubles where they look like it.
  public var value: JSONValue

  public init(_ value: JSONValue) { self.value = value }

  public init(from decoder: any Decoder) throws {
    guard let decoder = decoder as? NodeDecoder else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "free-form parts are read from configurations only"))
    }
    value = Self.json(decoder.node)
  }

  public func encode(to encoder: any Encoder) throws {
    guard let encoder = encoder as? NodeEncoder else {
      throw EncodingError.invalidValue(
        self, .init(codingPath: encoder.codingPath, debugDescription: "free-form parts are written as YAML only"))
    }
    encoder.storage.node = Self.node(value)
  }

  private static func json(_ node: ConfigurationNode) -> JSONValue {
    switch node.value {
    case .sequence(let elements): return .array(elements.map(json))
    case .mapping(let entries): return .object(JSONObject(entries.map { ($0.key, json($0.value)) }))
    case .scalar(let text, let isPlain):
      if node.isNull { return .null }
      if let flag = Bool.read(text, isPlain: isPlain) { return .bool(flag) }
      if let number = Int64.read(text, isPlain: isPlain) { return .integer(number) }
      if let number = Double.read(text, isPlain: isPlain) { return .double(number) }
      return .string(text)
    }
  }

  private static func node(_ value: JSONValue) -> ConfigurationNode {
    let made: ConfigurationNode.Value =
      switch value {
      case .null: .scalar("null", isPlain: true)
      case .bool, .integer, .double: .scalar(value.text(nonFinite: .null), isPlain: true)
      case .string(let text): .scalar(text, isPlain: false)
      case .array(let elements): .sequence(elements.map(node))
      case .object(let object):
        .mapping(object.entries.map { .init(key: $0.key, place: NodeEncoder.nowhere, value: node($0.value)) })
      }
    return ConfigurationNode(made, at: NodeEncoder.nowhere)
  }
}
