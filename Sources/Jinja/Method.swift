/// A method of Python's strings, lists, tuples or dictionaries.
struct Method: Sendable {
  typealias Body = @Sendable (Value, [Value?], Interpreter) throws -> Value

  let name: String
  private let parameters: [String]
  private let required: Int
  private let free: (@Sendable (Value, Arguments, Interpreter) throws -> Value)?
  private let body: Body

  init(_ name: String, _ parameters: [String] = [], required: Int = 0, _ body: @escaping Body) {
    self.name = name
    self.parameters = parameters
    self.required = required
    self.body = body
    free = nil
  }

  /// A method that takes its arguments as they come.
  init(_ name: String, free: @escaping @Sendable (Value, Arguments, Interpreter) throws -> Value) {
    self.name = name
    parameters = []
    required = 0
    self.free = free
    body = { _, _, _ in .none }
  }

  func apply(to value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    if case .text(let text) = value { try interpreter.meter.work(bytes: text.bytes.count) }
    if let free { return try free(value, arguments, interpreter) }
    return try body(value, arguments.bound(to: parameters, required: required, of: name), interpreter)
  }

  /// Methods by the name of the type, and by their own.
  static let named: [String: [String: Method]] = {
    func table(_ methods: [Method]) -> [String: Method] {
      Dictionary(methods.map { ($0.name, $0) }) { $1 }
    }
    let sequence = table(ofSequences)
    return ["str": table(ofTexts + ofTextKinds), "dict": table(ofDictionaries), "list": sequence, "tuple": sequence]
  }()

  /// Methods that would change a list or a dictionary, which Jinja's immutable sandbox hides.
  private static let hidden: [String: Set<String>] = [
    "list": ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
    "dict": ["clear", "pop", "popitem", "setdefault", "update"],
  ]

  /// Attributes of Python's that are not here.
  private static let unsupported: [String: Set<String>] = [
    "str": ["encode", "translate", "maketrans", "isidentifier"],
    "int": ["bit_length", "bit_count", "to_bytes", "from_bytes", "as_integer_ratio", "conjugate"],
    "float": ["hex", "fromhex", "as_integer_ratio", "conjugate"],
    "bool": ["bit_length", "bit_count", "to_bytes", "from_bytes", "as_integer_ratio", "conjugate"],
    "range": ["index", "count"],
    "dict": ["fromkeys"],
    "dict_keys": ["isdisjoint", "mapping"],
    "dict_items": ["isdisjoint", "mapping"],
    "dict_values": ["mapping"],
    "generator": ["send", "throw", "close"],
  ]

  /// An attribute of a value that is no object of Jinja's; nil where Python has none of that name.
  static func bound(_ name: Text, of owner: Value) throws -> Value? {
    let type = owner.typeName
    let name = name.string
    if name.hasPrefix("__") { return nil }
    if let method = named[type]?[name] {
      return .object(FunctionValue(name) { arguments, interpreter in try method.apply(to: owner, arguments, interpreter) })
    }
    if hidden[type]?.contains(name) ?? false {
      return .undefined(Undefined("access to attribute '\(name)' of '\(type)' object is unsafe."))
    }
    if unsupported[type]?.contains(name) ?? false {
      throw JinjaFault("it uses '\(name)' of '\(type)', which is not supported")
    }
    return number(name, of: owner) ?? range(name, of: owner)
  }

  private static func number(_ name: String, of owner: Value) -> Value? {
    switch (owner, name) {
    case (.integer, "real"), (.integer, "numerator"), (.bool, "real"), (.bool, "numerator"):
      owner.integer.map(Value.integer)
    case (.integer, "imag"), (.bool, "imag"): .integer(0)
    case (.integer, "denominator"), (.bool, "denominator"): .integer(1)
    case (.double, "real"): owner
    case (.double, "imag"): .double(0)
    case (.double(let number), "is_integer"):
      .object(FunctionValue(name) { _, _ in .bool(number.isFinite && number == number.rounded()) })
    default: nil
    }
  }

  private static func range(_ name: String, of owner: Value) -> Value? {
    guard case .range(let range) = owner else { return nil }
    switch name {
    case "start": return .integer(range.start)
    case "stop": return .integer(range.start + range.count * range.step)
    case "step": return .integer(range.step)
    default: return nil
    }
  }
}

extension Method {
  /// Methods of lists and tuples.
  static let ofSequences: [Method] = [
    Method("index", ["value", "start", "stop"], required: 1) { owner, arguments, interpreter in
      let elements = try owner.elements(interpreter.meter)
      let bounds = try SliceIndices(arguments[1] ?? .none, arguments[2] ?? .none, .none, count: elements.count)
      for position in bounds.positions
      where try interpreter.equal(elements[position], arguments[0] ?? .none) { return .integer(position) }
      throw JinjaFault("\(owner.typeName).index(x): x not in \(owner.typeName)")
    },
    Method("count", ["value"], required: 1) { owner, arguments, interpreter in
      .integer(
        try owner.elements(interpreter.meter).reduce(0) { count, element in
          try interpreter.equal(element, arguments[0] ?? .none) ? count + 1 : count
        })
    },
    Method("copy") { owner, _, interpreter in
      guard case .list(let list) = owner else { throw JinjaFault("'tuple' object has no attribute 'copy'") }
      try interpreter.meter.elements(list.elements.count)
      return .list(list.elements)
    },
  ]

  /// Methods of dictionaries.
  static let ofDictionaries: [Method] = [
    Method("get", ["key", "default"], required: 1) { owner, arguments, interpreter in
      guard case .dictionary(let dictionary) = owner else { return .none }
      return try dictionary.value(of: arguments[0] ?? .none, interpreter.meter) ?? arguments[1] ?? .none
    },
    Method("keys") { owner, _, _ in view(.keys, of: owner) },
    Method("values") { owner, _, _ in view(.values, of: owner) },
    Method("items") { owner, _, _ in view(.items, of: owner) },
    Method("copy") { owner, _, _ in owner },
  ]

  private static func view(_ kind: DictionaryView.Kind, of owner: Value) -> Value {
    guard case .dictionary(let dictionary) = owner else { return .none }
    return .view(DictionaryView(kind, of: dictionary))
  }
}
