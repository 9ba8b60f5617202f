import Diagnostics

/// Reads one node of the tree as a `Decodable` type and remembers which keys the type asked for.
final class NodeDecoder: Decoder {
  let node: ConfigurationNode
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }
  /// The keys asked for, in order; nil until the type asks for a keyed container.
  private(set) var asked: [String]?

  init(_ node: ConfigurationNode, path: [any CodingKey]) {
    self.node = node
    codingPath = path
  }

  /// The node as a value; keys that the type did not ask for are refused.
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    if let type = type as? any ScalarValue.Type {
      guard let value = try scalar(type) as? Value else { preconditionFailure("\(type) read as another type") }
      return value
    }
    if let words = rawWords(of: type) { try checkWord(words) }
    do {
      let value = try Value(from: self)
      try refuseUnknownKeys()
      return value
    } catch let error as DecodingError {
      throw translated(error)
    } catch let diagnostic as Diagnostic {
      throw diagnostic.file == nil
        ? diagnostic.located(file: node.place.file, line: node.place.line, field: field.isEmpty ? nil : field)
        : diagnostic
    }
  }

  func diagnostic(_ message: String, remedy: String? = nil) -> Diagnostic {
    node.diagnostic(message, field: field, remedy: remedy)
  }

  // MARK: Containers

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .mapping(let entries) = node.value else {
      throw diagnostic("is \(node.kind), but must be a mapping of keys to values")
    }
    asked = asked ?? []
    return KeyedDecodingContainer(MappingDecoder(decoder: self, entries: entries))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .sequence(let elements) = node.value else { throw diagnostic("is \(node.kind), but must be a list") }
    return SequenceDecoder(decoder: self, elements: elements)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { ScalarDecoder(decoder: self) }

  func child(_ node: ConfigurationNode, _ key: any CodingKey) -> NodeDecoder {
    NodeDecoder(node, path: codingPath + [key])
  }

  func ask(_ key: String) {
    if asked?.contains(key) == false { asked?.append(key) }
  }

  // MARK: Messages

  /// The dotted path, such as `data.files[2].name`.
  var field: String { Self.dotted(codingPath) }

  static func dotted(_ path: [any CodingKey]) -> String {
    path.reduce("") { text, key in
      if let index = key.intValue { return "\(text)[\(index)]" }
      return text.isEmpty ? key.stringValue : "\(text).\(key.stringValue)"
    }
  }

  /// A key that must be there and is not; a key nobody asked for that looks like it is pointed out.
  func missing(_ key: any CodingKey) -> Diagnostic {
    var remedy = "add the key"
    if case .mapping(let entries) = node.value {
      let others = entries.map(\.key).filter { asked?.contains($0) == false }
      if let typo = Spelling.nearest(to: key.stringValue, in: others) {
        remedy = "rename '\(typo)', which is not known here, if that is what it means"
      }
    }
    return node.diagnostic("is missing", field: Self.dotted(codingPath + [key]), remedy: remedy)
  }

  private func refuseUnknownKeys() throws {
    guard let asked, case .mapping(let entries) = node.value else { return }
    guard let unknown = entries.first(where: { !asked.contains($0.key) }) else { return }
    let nearest = Spelling.nearest(to: unknown.key, in: asked)
    let list = asked.isEmpty ? "no key at all" : asked.sorted().joined(separator: ", ")
    throw Diagnostic.input(
      "is not a known key", file: unknown.place.file, line: unknown.place.line,
      field: field.isEmpty ? unknown.key : "\(field).\(unknown.key)",
      remedy: nearest.map { "did you mean '\($0)'?" } ?? "known here: \(list)")
  }

  private func scalar(_ type: any ScalarValue.Type) throws -> any ScalarValue {
    guard case .scalar(let text, let isPlain) = node.value, !node.isNull else {
      throw diagnostic("is \(node.kind), but must be \(type.expectation)")
    }
    guard let value = type.read(text, isPlain: isPlain) else {
      throw diagnostic("\(isPlain ? "'\(text)'" : "the quoted text '\(text)'") is not \(type.expectation)")
    }
    return value
  }

  /// The words of an enumeration with texts for raw values; nil for any other type.
  private func rawWords(of type: any Decodable.Type) -> [String]? {
    guard let type = type as? any (CaseIterable & RawRepresentable).Type else { return nil }
    func words<Enumeration: CaseIterable & RawRepresentable>(_ type: Enumeration.Type) -> [String]? {
      let texts = type.allCases.compactMap { $0.rawValue as? String }
      return texts.isEmpty ? nil : texts
    }
    return words(type)
  }

  private func checkWord(_ words: [String]) throws {
    guard case .scalar(let text, _) = node.value, !node.isNull else {
      throw diagnostic("is \(node.kind), but must be one of \(words.joined(separator: ", "))")
    }
    guard !words.contains(text) else { return }
    let nearest = Spelling.nearest(to: text, in: words)
    throw diagnostic(
      "'\(text)' is not one of \(words.joined(separator: ", "))", remedy: nearest.map { "did you mean '\($0)'?" })
  }

  private func translated(_ error: DecodingError) -> Diagnostic {
    switch error {
    case .keyNotFound(let key, _): return missing(key)
    case .valueNotFound(_, let context), .typeMismatch(_, let context), .dataCorrupted(let context):
      // The error may name a key of this very node, which has the better line.
      let inner = context.codingPath.dropFirst(codingPath.count).first.flatMap { node[$0.stringValue] } ?? node
      let message =
        context.debugDescription.hasSuffix(".")
        ? String(context.debugDescription.dropLast()) : context.debugDescription
      return inner.diagnostic(message, field: Self.dotted(context.codingPath))
    @unknown default: return diagnostic("\(error)")
    }
  }
}
