/// Functions that a template may call by their names.
enum Functions {
  static let named: [String: @Sendable () -> NativeObject] = [
    "range": { FunctionValue("range", range) },
    "dict": { FunctionValue("dict") { .dictionary(try dictionary($0, $1)) } },
    "namespace": { FunctionValue("namespace", namespace) },
    "raise_exception": { FunctionValue("raise_exception", refuse) },
    "strftime_now": { FunctionValue("strftime_now", date) },
    "joiner": {
      FunctionValue("joiner") { arguments, _ in
        let values = try arguments.bound(to: ["sep"], required: 0, of: "joiner")
        return .object(Joiner(values[0] ?? .text(", ")))
      }
    },
    "cycler": {
      FunctionValue("cycler") { arguments, _ in
        guard !arguments.positional.isEmpty else { throw JinjaFault("at least one item has to be provided") }
        return .object(Cycler(arguments.positional))
      }
    },
    "lipsum": {
      FunctionValue("lipsum") { _, _ in throw JinjaFault("it uses 'lipsum', which is not supported") }
    },
  ]

  @Sendable private static func range(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    let numbers = try arguments.positional.map { try interpreter.integer($0, 0, "range") }
    guard 1...3 ~= numbers.count, arguments.named.isEmpty else {
      throw JinjaFault("range expected 1 to 3 arguments, got \(numbers.count)")
    }
    let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
    let step = numbers.count == 3 ? numbers[2] : 1
    guard step != 0 else { throw JinjaFault("range() arg 3 must not be zero") }
    let (distance, overflow) =
      step > 0
      ? stop.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(stop)
    let count: UInt
    if step > 0 ? stop <= start : stop >= start {
      count = 0
    } else {
      count = ((overflow ? UInt(bitPattern: distance) : UInt(distance)) - 1) / step.magnitude + 1
    }
    guard count <= UInt(interpreter.meter.limits.rangeLength) else {
      throw JinjaFault("range too big: it has more than \(interpreter.meter.limits.rangeLength) elements")
    }
    return .range(RangeValue(start: start, step: step, count: Int(count)))
  }

  private static func dictionary(_ arguments: Arguments, _ interpreter: Interpreter) throws -> DictionaryValue {
    let result = DictionaryValue()
    guard arguments.positional.count <= 1 else {
      throw JinjaFault("dict expected at most 1 argument, got \(arguments.positional.count)")
    }
    switch arguments.positional.first {
    case .dictionary(let dictionary):
      for (key, value) in zip(dictionary.keys, dictionary.values) { try result.set(key, value, interpreter.meter) }
    case let pairs?:
      for pair in try pairs.elements(interpreter.meter) {
        let sides = try pair.elements(interpreter.meter)
        guard sides.count == 2 else {
          throw JinjaFault("a pair for a dictionary has \(sides.count) elements; 2 are required")
        }
        try result.set(sides[0], sides[1], interpreter.meter)
      }
    case nil: break
    }
    for (name, value) in arguments.named { result.set(name, value) }
    try interpreter.meter.elements(2 * result.count)
    return result
  }

  @Sendable private static func namespace(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    let namespace = Namespace()
    interpreter.keep(namespace)
    let attributes = try dictionary(arguments, interpreter)
    for (key, value) in zip(attributes.keys, attributes.values) {
      if case .text(let name) = key { try namespace.set(name, value) }
    }
    return .object(namespace)
  }

  @Sendable private static func refuse(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    let values = try arguments.bound(to: ["message"], required: 1, of: "raise_exception")
    throw Refusal.diagnostic(try interpreter.text(values[0] ?? .none).string)
  }

  @Sendable private static func date(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    let values = try arguments.bound(to: ["format"], required: 1, of: "strftime_now")
    guard case .text(let format) = values[0] ?? .none else {
      throw JinjaFault("strftime_now() takes a string")
    }
    return .text(Text(try interpreter.now.formatted(format.string)))
  }
}

/// What `joiner()` makes: gives nothing when it is called first, and its separator from then on.
final class Joiner: NativeObject {
  private let separator: Value
  private var isUsed = false

  init(_ separator: Value) { self.separator = separator }

  override var typeName: String { "Joiner" }
  override var isCallable: Bool { true }
  override var depth: Int { separator.depth }

  override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    defer { isUsed = true }
    return isUsed ? separator : .text("")
  }
}

/// What `cycler()` makes: gives its items in turn.
final class Cycler: NativeObject {
  private let items: ListValue
  private var position = 0

  init(_ items: [Value]) { self.items = ListValue(items) }

  override var typeName: String { "Cycler" }
  override var depth: Int { items.depth }

  override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
    switch name {
    case "current": return items.elements[position]
    case "items": return .tuple(items)
    case "pos": return .integer(position)
    case "next":
      return .object(
        FunctionValue("next") { [self] _, _ in
          defer { position = (position + 1) % items.elements.count }
          return items.elements[position]
        })
    case "reset":
      return .object(
        FunctionValue("reset") { [self] _, _ in
          position = 0
          return .none
        })
    default: return nil
    }
  }
}
