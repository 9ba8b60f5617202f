/// A value of a template at run time, with the meaning that Python gives it.
enum Value {
  case undefined(Undefined)
  case none
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case text(Text)
  case list(ListValue)
  case tuple(ListValue)
  case dictionary(DictionaryValue)
  /// `keys()`, `values()` or `items()` of a dictionary.
  case view(DictionaryView)
  case range(RangeValue)
  /// What is gone through once, such as the result of `map`.
  case generator(Generator)
  /// A namespace, a macro, a function, the variable `loop`.
  case object(NativeObject)

  static func list(_ elements: [Value]) -> Value { .list(ListValue(elements)) }
  static func tuple(_ elements: [Value]) -> Value { .tuple(ListValue(elements)) }

  init(_ constant: Expression.Constant) {
    switch constant {
    case .none: self = .none
    case .bool(let flag): self = .bool(flag)
    case .integer(let number): self = .integer(number)
    case .double(let number): self = .double(number)
    case .text(let text): self = .text(text)
    }
  }

  /// How many containers are inside of each other here.
  var depth: Int {
    switch self {
    case .list(let list), .tuple(let list): list.depth
    case .dictionary(let dictionary): dictionary.depth
    case .view(let view): view.dictionary.depth + 1
    case .generator(let generator): generator.depth
    case .object(let object): object.depth
    default: 0
    }
  }

  /// The name of the type in Python.
  var typeName: String {
    switch self {
    case .undefined: "Undefined"
    case .none: "NoneType"
    case .bool: "bool"
    case .integer: "int"
    case .double: "float"
    case .text: "str"
    case .list: "list"
    case .tuple: "tuple"
    case .dictionary: "dict"
    case .view(let view): view.kind.rawValue
    case .range: "range"
    case .generator: "generator"
    case .object(let object): object.typeName
    }
  }

  var isUndefined: Bool {
    if case .undefined = self { true } else { false }
  }

  var isNone: Bool {
    if case .none = self { true } else { false }
  }

  /// Whether a condition takes it for true.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let flag): flag
    case .integer(let number): number != 0
    case .double(let number): number != 0
    case .text(let text): !text.isEmpty
    case .list(let list), .tuple(let list): !list.elements.isEmpty
    case .dictionary(let dictionary): dictionary.count > 0
    case .view(let view): view.dictionary.count > 0
    case .range(let range): range.count > 0
    case .generator: true
    case .object(let object): object.isTrue
    }
  }

  /// The number where it is an integer or a truth value, which Python counts as one.
  var integer: Int? {
    switch self {
    case .bool(let flag): flag ? 1 : 0
    case .integer(let number): number
    default: nil
    }
  }

  /// The number as a double where it is a number.
  var number: Double? {
    if case .double(let number) = self { number } else { integer.map(Double.init) }
  }
}

/// What a template gets for what is not there: prints as nothing, and fails where it is used.
final class Undefined {
  private enum Reason {
    case hint(String)
    case name(String)
    case attribute(Value, type: String)
  }

  private let reason: Reason

  init(_ hint: String) { reason = .hint(hint) }

  init(name: String) { reason = .name(name) }

  init(attribute: Value, of owner: Value) { reason = .attribute(attribute, type: owner.typeName) }

  /// What an error says: few undefined values come to one, so it is written only then.
  var message: String {
    switch reason {
    case .hint(let hint): return hint
    case .name(let name): return "'\(name)' is undefined"
    case .attribute(let attribute, let type):
      let owner = type == "NoneType" ? "None" : "\(type) object"
      if case .text(let name) = attribute { return "'\(owner)' has no attribute '\(name.string)'" }
      if case .integer(let number) = attribute { return "\(owner) has no element \(number)" }
      return "\(owner) has no such element"
    }
  }
}

/// A list or a tuple, which no template can change.
final class ListValue {
  let elements: [Value]
  let depth: Int
  /// Names of the elements, of a tuple that `groupby` makes.
  let fields: [Text]

  init(_ elements: [Value], fields: [Text] = []) {
    self.elements = elements
    self.fields = fields
    depth = 1 + (elements.lazy.map(\.depth).max() ?? 0)
  }
}

/// What `range` makes.
final class RangeValue {
  let start: Int
  let step: Int
  let count: Int

  init(start: Int, step: Int, count: Int) {
    self.start = start
    self.step = step
    self.count = count
  }

  subscript(index: Int) -> Value { .integer(start &+ index &* step) }
}

/// Elements that are made one by one, and gone through once.
final class Generator {
  let depth: Int
  /// What Python calls it.
  let name: String
  private var body: (() throws -> Value?)?

  init(_ name: String, over source: Value, _ body: @escaping () throws -> Value?) {
    self.name = name
    depth = source.depth + 1
    self.body = body
  }

  /// The next element; nil behind the last one.
  func next() throws -> Value? {
    guard let body else { return nil }
    do {
      if let value = try body() { return value }
      self.body = nil
      return nil
    } catch {
      self.body = nil
      throw error
    }
  }
}

/// A value with a behaviour of its own.
class NativeObject {
  var typeName: String { "object" }
  var isTrue: Bool { true }
  var depth: Int { 0 }
  var isCallable: Bool { false }

  /// An attribute; nil where there is none of that name.
  func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? { nil }

  func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    throw JinjaFault("'\(typeName)' object is not callable")
  }

  func description(_ interpreter: Interpreter) throws -> Text { Text("<\(typeName) object>") }
}
