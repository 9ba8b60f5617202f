extension Interpreter {
  /// `owner.name`: an attribute, or else an element.
  func attribute(_ name: Text, of owner: Value) throws -> Value {
    try ownAttribute(name, of: owner) ?? item(.text(name), of: owner)
      ?? .undefined(Undefined(attribute: .text(name), of: owner))
  }

  /// `owner[key]`: an element, or else, where the key is a string, an attribute.
  func element(_ key: Value, of owner: Value) throws -> Value {
    if let found = try item(key, of: owner) { return found }
    if case .text(let name) = key, let found = try ownAttribute(name, of: owner) { return found }
    return .undefined(Undefined(attribute: key, of: owner))
  }

  /// An attribute alone; nil where there is none.
  func ownAttribute(_ name: Text, of owner: Value) throws -> Value? {
    switch owner {
    case .undefined(let undefined):
      if name.bytes.starts(with: "__".utf8), name.bytes.suffix(2).elementsEqual("__".utf8) { return nil }
      throw JinjaFault(undefined.message)
    case .object(let object):
      if name.bytes.first == UInt8(ascii: "_") { return nil }
      return try object.attribute(name, self)
    case .tuple(let list) where !list.fields.isEmpty:
      if let index = list.fields.firstIndex(of: name) { return list.elements[index] }
    default: break
    }
    return try Method.bound(name, of: owner)
  }

  /// An element alone; nil where there is none.
  private func item(_ key: Value, of owner: Value) throws -> Value? {
    switch owner {
    case .undefined(let undefined): throw JinjaFault(undefined.message)
    case .dictionary(let dictionary):
      if case .text(let name) = key { return dictionary[name] }
      switch key {
      case .list, .dictionary, .view: return nil
      default: return try dictionary.value(of: key, meter)
      }
    case .list(let list), .tuple(let list):
      return position(key, count: list.elements.count).map { list.elements[$0] }
    case .range(let range): return position(key, count: range.count).map { range[$0] }
    case .text(let text):
      guard key.integer != nil else { return nil }
      try meter.work(bytes: text.bytes.count)
      guard let index = position(key, count: text.count) else { return nil }
      return .text(text.part(index..<(index + 1)).marked(like: text))
    default: return nil
    }
  }

  private func position(_ key: Value, count: Int) -> Int? {
    guard let index = key.integer else { return nil }
    let position = index < 0 ? index + count : index
    return 0..<count ~= position ? position : nil
  }

  // MARK: Slices

  func slice(_ owner: Value, start: Value, stop: Value, step: Value) throws -> Value {
    switch owner {
    case .undefined(let undefined): throw JinjaFault(undefined.message)
    case .text(let text):
      try meter.work(bytes: text.bytes.count)
      let indices = try SliceIndices(start, stop, step, count: text.count)
      if indices.step == 1 {
        return .text(text.part(indices.start..<(indices.start + indices.count)).marked(like: text))
      }
      try meter.elements(text.bytes.count)
      let characters = text.characters
      return .text(Text(indices.positions.flatMap { characters[$0].bytes }).marked(like: text))
    case .list(let list), .tuple(let list):
      let indices = try SliceIndices(start, stop, step, count: list.elements.count)
      try meter.elements(indices.count)
      let elements = indices.positions.map { list.elements[$0] }
      if case .tuple = owner { return .tuple(elements) }
      return .list(elements)
    case .range(let range):
      let indices = try SliceIndices(start, stop, step, count: range.count)
      return .range(
        RangeValue(
          start: range.start + indices.start * range.step, step: range.step * indices.step, count: indices.count))
    default: throw JinjaFault("'\(owner.typeName)' object cannot be sliced")
    }
  }
}

/// The positions that a slice picks.
struct SliceIndices {
  let start: Int
  let step: Int
  let count: Int

  var positions: some Sequence<Int> { (0..<count).lazy.map { start + $0 * step } }

  init(_ start: Value, _ stop: Value, _ step: Value, count length: Int) throws {
    func bound(_ value: Value) throws -> Int? {
      if value.isNone { return nil }
      guard let number = value.integer else {
        throw JinjaFault("slice indices must be integers or None")
      }
      return number
    }
    let stride = try bound(step) ?? 1
    guard stride != 0 else { throw JinjaFault("slice step cannot be zero") }
    let (low, high) = stride > 0 ? (0, length) : (-1, length - 1)
    func clamped(_ value: Int?, _ fallback: Int) -> Int {
      guard let value else { return fallback }
      return min(max(value < 0 ? value + length : value, low), high)
    }
    let first = try clamped(bound(start), stride > 0 ? low : high)
    let last = try clamped(bound(stop), stride > 0 ? high : low)
    self.start = first
    let distance = stride > 0 ? last - first : first - last
    let magnitude = Int(clamping: stride.magnitude)
    count = distance <= 0 ? 0 : (distance - 1) / magnitude + 1
    self.step = count <= 1 ? (stride > 0 ? 1 : -1) : stride
  }
}
