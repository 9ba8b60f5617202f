extension Interpreter {
  /// `==` of Python.
  func equal(_ a: Value, _ b: Value) throws -> Bool {
    try meter.step()
    switch (a, b) {
    case (.text(let x), .text(let y)):
      if x.bytes.count == y.bytes.count { try meter.work(bytes: x.bytes.count) }
      return x == y
    case (.undefined, .undefined), (.none, .none): return true
    case (.double(let x), .double(let y)): return x == y
    case (.list(let x), .list(let y)), (.tuple(let x), .tuple(let y)):
      return try x === y || equal(x.elements, y.elements)
    case (.dictionary(let x), .dictionary(let y)): return try x === y || equal(x, y)
    case (.view(let x), .view(let y)): return try equal(x, y)
    case (.range(let x), .range(let y)):
      return x.count == y.count && (x.count == 0 || (x.start == y.start && (x.count == 1 || x.step == y.step)))
    case (.generator(let x), .generator(let y)): return x === y
    case (.object(let x), .object(let y)): return x === y
    default: return Self.equalNumbers(a, b) ?? false
    }
  }

  private static func equalNumbers(_ a: Value, _ b: Value) -> Bool? {
    if let x = a.integer, let y = b.integer { return x == y }
    if case .double(let x) = a, let y = b.integer { return Int(exactly: x) == y }
    if let x = a.integer, case .double(let y) = b { return Int(exactly: y) == x }
    return nil
  }

  func equal(_ a: [Value], _ b: [Value]) throws -> Bool {
    guard a.count == b.count else { return false }
    for (x, y) in zip(a, b) where try !equal(x, y) { return false }
    return true
  }

  private func equal(_ a: DictionaryValue, _ b: DictionaryValue) throws -> Bool {
    guard a.count == b.count else { return false }
    for (key, value) in zip(a.keys, a.values) {
      guard let other = try b.value(of: key, meter), try equal(value, other) else { return false }
    }
    return true
  }

  private func equal(_ a: DictionaryView, _ b: DictionaryView) throws -> Bool {
    if a === b { return true }
    guard a.kind != .values, b.kind != .values, a.dictionary.count == b.dictionary.count else { return false }
    let others = try Value.view(b).elements(meter)
    for element in try Value.view(a).elements(meter) where try !others.contains(where: { try equal(element, $0) }) {
      return false
    }
    return true
  }

  /// `a < b` of Python.
  ///
  /// - Throws: for values that have no order.
  func less(_ a: Value, _ b: Value, operation: String = "<") throws -> Bool {
    try meter.step()
    if let x = a.integer, let y = b.integer { return x < y }
    if let x = a.number, let y = b.number { return x < y }
    switch (a, b) {
    case (.text(let x), .text(let y)): return x < y
    case (.list(let x), .list(let y)), (.tuple(let x), .tuple(let y)):
      for (one, other) in zip(x.elements, y.elements) where try !equal(one, other) {
        return try less(one, other, operation: operation)
      }
      return x.elements.count < y.elements.count
    default: break
    }
    try refuseUndefined(a, b)
    throw JinjaFault("'\(operation)' not supported between instances of '\(a.typeName)' and '\(b.typeName)'")
  }

  func compare(_ a: Value, _ operation: Expression.Comparison, _ b: Value) throws -> Bool {
    switch operation {
    case .equal: return try equal(a, b)
    case .notEqual: return try !equal(a, b)
    case .less: return try less(a, b)
    case .greater: return try less(b, a, operation: ">")
    case .lessOrEqual: return try lessOrEqual(a, b, "<=")
    case .greaterOrEqual: return try lessOrEqual(b, a, ">=")
    case .contained: return try contains(b, a)
    case .notContained: return try !contains(b, a)
    }
  }

  private func lessOrEqual(_ a: Value, _ b: Value, _ operation: String) throws -> Bool {
    if let x = a.number, let y = b.number, x.isNaN || y.isNaN { return false }
    return try !less(b, a, operation: operation)
  }

  /// `element in container` of Python.
  func contains(_ container: Value, _ element: Value) throws -> Bool {
    switch container {
    case .text(let text):
      guard case .text(let part) = element else {
        throw JinjaFault("'in <string>' requires string as left operand, not \(element.typeName)")
      }
      try meter.work(bytes: text.bytes.count)
      return text.find(part) != nil
    case .dictionary(let dictionary): return try dictionary.value(of: element, meter) != nil
    case .view(let view) where view.kind == .keys: return try view.dictionary.value(of: element, meter) != nil
    case .none, .bool, .integer, .double, .object:
      throw JinjaFault("argument of type '\(container.typeName)' is not iterable")
    default:
      var cursor = try Cursor(container)
      while let other = try cursor.next() { if try equal(element, other) { return true } }
      return false
    }
  }

  func refuseUndefined(_ values: Value...) throws {
    for case .undefined(let undefined) in values { throw JinjaFault(undefined.message) }
  }
}
