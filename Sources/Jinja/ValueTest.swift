/// A test of Jinja's: `value is name(arguments)`.
struct ValueTest: Sendable {
  typealias Body = @Sendable (Value, Value, Interpreter) throws -> Bool

  private let name: String
  private let parameters: [String]
  private let body: Body

  /// A test that takes nothing but its value.
  init(_ name: String, _ body: @escaping @Sendable (Value, Interpreter) throws -> Bool) {
    self.name = name
    parameters = []
    self.body = { value, _, interpreter in try body(value, interpreter) }
  }

  /// A test that takes another value.
  init(_ name: String, with parameter: String, _ body: @escaping Body) {
    self.name = name
    parameters = [parameter]
    self.body = body
  }

  func holds(for value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Bool {
    let values = try arguments.bound(to: parameters, required: parameters.count, of: name)
    return try body(value, values.first.flatMap { $0 } ?? .none, interpreter)
  }

  /// All tests by name.
  static let named: [String: ValueTest] = {
    var named: [String: ValueTest] = [:]
    for test in kinds + texts + comparisons { named[test.name] = test }
    let aliases = [
      ("==", "eq"), ("equalto", "eq"), ("!=", "ne"), (">", "gt"), ("greaterthan", "gt"), (">=", "ge"), ("<", "lt"),
      ("lessthan", "lt"), ("<=", "le"),
    ]
    for (alias, name) in aliases { named[alias] = named[name] }
    return named
  }()

  private static let kinds: [ValueTest] = [
    ValueTest("defined") { value, _ in !value.isUndefined },
    ValueTest("undefined") { value, _ in value.isUndefined },
    ValueTest("none") { value, _ in value.isNone },
    ValueTest("boolean") { value, _ in if case .bool = value { true } else { false } },
    ValueTest("true") { value, _ in if case .bool(true) = value { true } else { false } },
    ValueTest("false") { value, _ in if case .bool(false) = value { true } else { false } },
    ValueTest("integer") { value, _ in if case .integer = value { true } else { false } },
    ValueTest("float") { value, _ in if case .double = value { true } else { false } },
    ValueTest("number") { value, _ in value.number != nil },
    ValueTest("string") { value, _ in if case .text = value { true } else { false } },
    ValueTest("mapping") { value, _ in if case .dictionary = value { true } else { false } },
    ValueTest("sequence") { value, _ in
      switch value {
      case .text, .list, .tuple, .dictionary, .range, .undefined: true
      default: false
      }
    },
    ValueTest("iterable") { value, _ in
      if case .object(let object) = value { return object is LoopState }
      return Value.isIterable(value)
    },
    ValueTest("callable") { value, _ in
      if case .object(let object) = value { return object.isCallable }
      return value.isUndefined
    },
    ValueTest("escaped") { value, _ in if case .text(let text) = value { text.isMarkup } else { false } },
  ]

  private static let texts: [ValueTest] = [
    ValueTest("lower") { value, interpreter in try interpreter.string(value).isLowercase },
    ValueTest("upper") { value, interpreter in try interpreter.string(value).isUppercase },
    ValueTest("filter") { value, interpreter in
      if case .text(let name) = value { return Filter.named[name.string] != nil }
      _ = try Key(value, interpreter.meter)
      return false
    },
    ValueTest("test") { value, interpreter in
      if case .text(let name) = value { return named[name.string] != nil }
      _ = try Key(value, interpreter.meter)
      return false
    },
    ValueTest("odd") { value, interpreter in try remainder(value, .integer(2), interpreter, is: 1) },
    ValueTest("even") { value, interpreter in try remainder(value, .integer(2), interpreter, is: 0) },
  ]

  private static let comparisons: [ValueTest] = [
    ValueTest("divisibleby", with: "num") { try remainder($0, $1, $2, is: 0) },
    ValueTest("eq", with: "b") { try $2.compare($0, .equal, $1) },
    ValueTest("ne", with: "b") { try $2.compare($0, .notEqual, $1) },
    ValueTest("gt", with: "b") { try $2.compare($0, .greater, $1) },
    ValueTest("ge", with: "b") { try $2.compare($0, .greaterOrEqual, $1) },
    ValueTest("lt", with: "b") { try $2.compare($0, .less, $1) },
    ValueTest("le", with: "b") { try $2.compare($0, .lessOrEqual, $1) },
    ValueTest("in", with: "seq") { try $2.compare($0, .contained, $1) },
    ValueTest("sameas", with: "other") { value, other, interpreter in try isSame(value, other, interpreter) },
  ]

  private static func remainder(
    _ value: Value, _ divisor: Value, _ interpreter: Interpreter, is expected: Int
  ) throws -> Bool {
    try interpreter.equal(interpreter.arithmetic(.modulo, value, divisor), .integer(expected))
  }

  /// `is` of Python, as far as it does not depend on how Python keeps equal values.
  private static func isSame(_ a: Value, _ b: Value, _ interpreter: Interpreter) throws -> Bool {
    switch (a, b) {
    case (.none, .none): true
    case (.bool(let x), .bool(let y)): x == y
    case (.integer(let x), .integer(let y)): x == y
    case (.text(let x), .text(let y)): x == y
    case (.double(let x), .double(let y)): x == y
    case (.list(let x), .list(let y)), (.tuple(let x), .tuple(let y)): x === y
    case (.dictionary(let x), .dictionary(let y)): x === y
    case (.object(let x), .object(let y)): x === y
    case (.generator(let x), .generator(let y)): x === y
    default: false
    }
  }
}
