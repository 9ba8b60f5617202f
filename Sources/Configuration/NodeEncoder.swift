/// Builds the tree of an `Encodable` value; what is nil is left out.
final class NodeEncoder: Encoder {
  /// Where a container puts its node; the encoder of the container above reads it when all is done.
  final class Storage {
    var node: ConfigurationNode?
    var entries: [(key: String, storage: Storage)] = []
    var elements: [Storage] = []

    var tree: ConfigurationNode {
      if let node { return node }
      if !elements.isEmpty { return ConfigurationNode(.sequence(elements.map(\.tree)), at: nowhere) }
      return ConfigurationNode(
        .mapping(entries.map { .init(key: $0.key, place: nowhere, value: $0.storage.tree) }), at: nowhere)
    }
  }

  static let nowhere = ConfigurationNode.Place(file: "", line: nil)

  let codingPath: [any CodingKey]
  let storage: Storage
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(path: [any CodingKey], storage: Storage) {
    codingPath = path
    self.storage = storage
  }

  static func node(_ value: some Encodable) throws -> ConfigurationNode {
    let storage = Storage()
    try NodeEncoder(path: [], storage: storage).encode(value)
    return storage.tree
  }

  func encode(_ value: some Encodable) throws {
    switch value {
    case let text as String: storage.node = ConfigurationNode(.scalar(text, isPlain: false), at: Self.nowhere)
    case let number as any BinaryFloatingPoint & ScalarValue:
      guard number.isFinite else {
        throw EncodingError.invalidValue(
          value, .init(codingPath: codingPath, debugDescription: "\(number) cannot be read back from a configuration"))
      }
      put("\(number)")
    case let scalar as any ScalarValue: put("\(scalar)")
    default: try value.encode(to: self)
    }
  }

  func put(_ plain: String) { storage.node = ConfigurationNode(.scalar(plain, isPlain: true), at: Self.nowhere) }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    KeyedEncodingContainer(MappingEncoder(encoder: self))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    storage.node = ConfigurationNode(.sequence([]), at: Self.nowhere)
    return SequenceEncoder(encoder: self)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { ScalarEncoder(encoder: self) }
}

private struct MappingEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let encoder: NodeEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  func encodeNil(forKey key: Key) throws {}

  func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws { try child(key).encode(value) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    child(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { child(key).unkeyedContainer() }

  func superEncoder() -> any Encoder { encoder }

  func superEncoder(forKey key: Key) -> any Encoder { child(key) }

  private func child(_ key: Key) -> NodeEncoder {
    let storage = NodeEncoder.Storage()
    encoder.storage.entries.append((key.stringValue, storage))
    return NodeEncoder(path: codingPath + [key], storage: storage)
  }
}

private struct SequenceEncoder: UnkeyedEncodingContainer {
  let encoder: NodeEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  var count: Int { encoder.storage.elements.count }

  func encodeNil() throws { child().put("null") }

  func encode<Value: Encodable>(_ value: Value) throws { try child().encode(value) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    child().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { child().unkeyedContainer() }

  func superEncoder() -> any Encoder { child() }

  private func child() -> NodeEncoder {
    let storage = NodeEncoder.Storage()
    encoder.storage.node = nil
    encoder.storage.elements.append(storage)
    return NodeEncoder(path: codingPath + [IndexKey(count - 1)], storage: storage)
  }
}

private struct ScalarEncoder: SingleValueEncodingContainer {
  let encoder: NodeEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  func encodeNil() throws { encoder.put("null") }

  func encode<Value: Encodable>(_ value: Value) throws { try encoder.encode(value) }
}
