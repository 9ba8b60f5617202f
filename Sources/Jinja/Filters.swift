/// A filter of Jinja's: `value | name(arguments)`.
struct Filter: Sendable {
  typealias Body = @Sendable (Value, [Value?], Interpreter) throws -> Value

  private enum Kind: Sendable {
    case bound(parameters: [String], required: Int, Body)
    /// Takes its arguments as they come.
    case free(@Sendable (Value, Arguments, Interpreter) throws -> Value)
  }

  private let name: String
  private let kind: Kind

  /// - Parameters:
  ///   - parameters: Names of what the filter takes beside its value.
  ///   - required: How many of them must be given.
  init(_ name: String, _ parameters: [String] = [], required: Int = 0, _ body: @escaping Body) {
    self.name = name
    kind = .bound(parameters: parameters, required: required, body)
  }

  /// A filter that takes its arguments as they come.
  init(variadic name: String, _ body: @escaping @Sendable (Value, Arguments, Interpreter) throws -> Value) {
    self.name = name
    kind = .free(body)
  }

  func apply(to value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    try interpreter.meter.steps(Meter.call)
    let result: Value
    switch kind {
    case .free(let body): result = try body(value, arguments, interpreter)
    case .bound(let parameters, let required, let body):
      result = try body(value, arguments.bound(to: parameters, required: required, of: name), interpreter)
    }
    if result.depth > interpreter.meter.limits.depth { try interpreter.meter.check(depth: result.depth) }
    return result
  }

  /// All filters by name.
  static let named: [String: Filter] = {
    var named: [String: Filter] = [:]
    for filter in text + sequences + selections + values { named[filter.name] = filter }
    for (alias, name) in [("d", "default"), ("count", "length"), ("e", "escape")] { named[alias] = named[name] }
    return named
  }()

  /// Filters of Jinja's that are not here: they are for HTML, or not the same twice.
  static let refused: Set = ["random", "urlize", "xmlattr", "pprint", "wordwrap", "filesizeformat"]
}

extension Interpreter {
  /// The text of a filter's value: any value as `str` writes it.
  func string(_ value: Value) throws -> Text { try text(value) }

  /// An argument that must be an integer.
  func integer(_ value: Value?, _ fallback: Int, _ name: String) throws -> Int {
    guard let value else { return fallback }
    guard let number = value.integer else {
      try refuseUndefined(value)
      throw JinjaFault("'\(name)' must be an integer, not \(value.typeName)")
    }
    return number
  }

  /// A stable sort by an order that may fail.
  func sorted<Element>(
    _ elements: [Element], isReverse: Bool, by less: (Element, Element) throws -> Bool
  ) throws -> [Element] {
    try meter.elements(elements.count)
    // Python keeps the order of equal elements also where it sorts backwards.
    var indices = Array(elements.indices)
    var failure: (any Error)?
    indices.sort { a, b in
      guard failure == nil else { return a < b }
      do {
        if try less(elements[a], elements[b]) { return !isReverse }
        if try less(elements[b], elements[a]) { return isReverse }
      } catch {
        failure = error
      }
      return a < b
    }
    if let failure { throw failure }
    return indices.map { elements[$0] }
  }
}
