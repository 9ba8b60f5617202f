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
    value = decoder.node.json
  }

  public func encode(to encoder: any Encoder) throws {
    guard let encoder = encoder as? NodeEncoder else {
      throw EncodingError.invalidValue(
        self, .init(codingPath: encoder.codingPath, debugDescription: "free-form parts are written as YAML only"))
    }
    encoder.storage.node = ConfigurationNode(value, at: NodeEncoder.nowhere)
  }
}
