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
  init(variadic name: String, _ free: @escaping @Sendable (Value, Arguments, Interpreter) throws -> Value) {
    self.name = name
    parameters = []
    required = 0
    self.free = free
    body = { _, _, _ in .none }
  }

  func apply(to value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    guard case .text(let text) = value else { return try run(value, arguments, interpreter) }
    try interpreter.meter.work(bytes: text.bytes.count)
    guard text.isMarkup else { return try run(value, arguments, interpreter) }
    var arguments = arguments
    if let first = Self.firstEscaped[name] {
      for index in arguments.positional.indices.dropFirst(first) {
        arguments.positional[index] = try Markup.escaped(argument: arguments.positional[index], interpreter)
      }
      for index in arguments.named.indices {
        arguments.named[index].value = try Markup.escaped(argument: arguments.named[index].value, interpreter)
      }
    }
    return Markup.marked(try run(.text(Markup.plain(text)), arguments, interpreter))
  }

  /// Methods of marked strings that escape what they are given, from which argument on.
  private static let firstEscaped = ["join": 0, "replace": 1, "format": 0, "format_map": 0]

  private func run(_ value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    try interpreter.meter.steps(Meter.call)
    if let free { return try free(value, arguments, interpreter) }
    return try body(value, arguments.bound(to: parameters, required: required, of: name), interpreter)
  }

  // MARK: Tables

  private static func table(_ methods: [Method]) -> [Text: Method] {
    Dictionary(methods.map { (Text($0.name), $0) }) { $1 }
  }

  static let ofText = table(ofTexts + ofTextKinds)
  private static let ofSequence = table(ofSequences)
  private static let ofDictionary = table(ofDictionaries)

  /// Methods that would change a list or a dictionary, which Jinja's immutable sandbox hides.
  private static let hiddenOfList: Set<Text> = [
    "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove",
  ]
  private static let hiddenOfDictionary: Set<Text> = ["clear", "pop", "popitem", "setdefault", "update"]

  /// Attributes of Python's that are not here, by the name of the type.
  private static let unsupported: [String: Set<Text>] = [
    "str": ["encode", "translate", "maketrans", "isidentifier"],
    "int": ["bit_length", "bit_count", "to_bytes", "from_bytes", "as_integer_ratio", "conjugate"],
    "bool": ["bit_length", "bit_count", "to_bytes", "from_bytes", "as_integer_ratio", "conjugate"],
    "float": ["hex", "fromhex", "as_integer_ratio", "conjugate"],
    "range": ["index", "count"],
    "dict": ["fromkeys"],
    "dict_keys": ["isdisjoint", "mapping"],
    "dict_items": ["isdisjoint", "mapping"],
    "dict_values": ["mapping"],
    "generator": ["send", "throw", "close"],
  ]

  /// Whether some value may have an attribute of a name, besides objects of Jinja's: most names that templates ask for
  /// are keys of dictionaries alone.
  static func isKnown(_ name: Text) -> Bool {
    ofText[name] != nil || ofSequence[name] != nil || ofDictionary[name] != nil || hiddenOfList.contains(name)
      || hiddenOfDictionary.contains(name) || unsupported.values.contains { $0.contains(name) }
      || ["real", "imag", "numerator", "denominator", "is_integer", "start", "stop", "step"].contains(name)
  }

  /// An attribute of a value that is no object of Jinja's; nil where Python has none of that name.
  static func bound(_ name: Text, of owner: Value) throws -> Value? {
    switch owner {
    case .text:
      if let method = ofText[name] { return function(method, owner) }
    case .list:
      if let method = ofSequence[name] { return function(method, owner) }
      if hiddenOfList.contains(name) { return concealed(name, owner) }
    case .tuple:
      if let method = ofSequence[name], method.name != "copy" { return function(method, owner) }
    case .dictionary:
      if let method = ofDictionary[name] { return function(method, owner) }
      if hiddenOfDictionary.contains(name) { return concealed(name, owner) }
    case .none, .undefined, .object: break
    default:
      if let value = number(name.string, of: owner) ?? range(name.string, of: owner) { return value }
    }
    guard unsupported[owner.typeName]?.contains(name) ?? false else { return nil }
    throw JinjaFault("it uses '\(name.string)' of '\(owner.typeName)', which is not supported")
  }

  private static func function(_ method: Method, _ owner: Value) -> Value {
    .object(
      FunctionValue(method.name) { arguments, interpreter in try method.apply(to: owner, arguments, interpreter) })
  }

  private static func concealed(_ name: Text, _ owner: Value) -> Value {
    .undefined(Undefined("access to attribute '\(name.string)' of '\(owner.typeName)' object is unsafe."))
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
      guard case .list(let list) = owner else { return owner }
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
