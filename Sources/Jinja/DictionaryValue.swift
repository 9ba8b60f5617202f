/// A dictionary in the order of insertion, which no template can change.
final class DictionaryValue {
  private(set) var keys: [Value] = []
  private(set) var values: [Value] = []
  /// Positions of the keys; nil while a walk over them is cheaper.
  private var positions: [Key: Int]?
  private(set) var depth = 1
  private static let indexThreshold = 8

  var count: Int { keys.count }

  init() {}

  /// Sets the value of a key, in its first place where it is there already; only while the dictionary is made.
  func set(_ key: Value, _ value: Value, _ meter: Meter) throws {
    if case .text(let text) = key { return set(text, value) }
    let position = try indexed(meter)[Key(key, meter)]
    try put(key, value, at: position, Key(key, meter))
  }

  /// Sets the value of a key that is a string.
  func set(_ key: Text, _ value: Value) { put(.text(key), value, at: position(of: key), .text(key)) }

  private func put(_ key: Value, _ value: Value, at position: Int?, _ hashed: @autoclosure () throws -> Key) rethrows {
    depth = max(depth, 1 + max(key.depth, value.depth))
    if let position {
      values[position] = value
    } else {
      if positions != nil { positions?[try hashed()] = keys.count }
      keys.append(key)
      values.append(value)
    }
  }

  subscript(key: Text) -> Value? { position(of: key).map { values[$0] } }

  func value(of key: Value, _ meter: Meter) throws -> Value? {
    if case .text(let text) = key { return self[text] }
    return try indexed(meter)[Key(key, meter)].map { values[$0] }
  }

  private func position(of key: Text) -> Int? {
    if let positions { return positions[.text(key)] }
    if keys.count > Self.indexThreshold { return indexedTexts()[.text(key)] }
    return keys.firstIndex { if case .text(let text) = $0 { text == key } else { false } }
  }

  /// The index, made where there is none; without it all keys are strings.
  private func indexedTexts() -> [Key: Int] {
    if let positions { return positions }
    var index: [Key: Int] = [:]
    for (position, key) in keys.enumerated() { if case .text(let text) = key { index[.text(text)] = position } }
    positions = index
    return index
  }

  private func indexed(_ meter: Meter) throws -> [Key: Int] {
    try meter.steps(positions == nil ? keys.count : 0)
    return indexedTexts()
  }
}

/// `keys()`, `values()` or `items()` of a dictionary.
final class DictionaryView {
  enum Kind: String {
    case keys = "dict_keys"
    case values = "dict_values"
    case items = "dict_items"
  }

  let dictionary: DictionaryValue
  let kind: Kind

  init(_ kind: Kind, of dictionary: DictionaryValue) {
    self.kind = kind
    self.dictionary = dictionary
  }

  subscript(index: Int) -> Value {
    switch kind {
    case .keys: dictionary.keys[index]
    case .values: dictionary.values[index]
    case .items: .tuple([dictionary.keys[index], dictionary.values[index]])
    }
  }
}

/// A value as the key of a dictionary: numbers that are equal are one key, truth values among them.
enum Key: Hashable {
  case text(Text)
  case integer(Int)
  case double(Double)
  case none
  case undefined
  case tuple([Key])
  case object(ObjectIdentifier)

  /// - Throws: for what Python cannot hash.
  init(_ value: Value, _ meter: Meter) throws {
    switch value {
    case .text(let text): self = .text(text)
    case .bool(let flag): self = .integer(flag ? 1 : 0)
    case .integer(let number): self = .integer(number)
    case .double(let number): self = Int(exactly: number).map(Key.integer) ?? .double(number)
    case .none: self = .none
    case .undefined: self = .undefined
    case .tuple(let list):
      var keys: [Key] = []
      for element in list.elements {
        try meter.step()
        keys.append(try Key(element, meter))
      }
      self = .tuple(keys)
    case .range(let range): self = .object(ObjectIdentifier(range))
    case .generator(let generator): self = .object(ObjectIdentifier(generator))
    case .object(let object): self = .object(ObjectIdentifier(object))
    case .list, .dictionary, .view: throw JinjaFault("unhashable type: '\(value.typeName)'")
    }
  }
}
