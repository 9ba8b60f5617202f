import Glibc

extension Interpreter {
  /// An operator of arithmetic between two values.
  func arithmetic(_ operation: Expression.Arithmetic, _ a: Value, _ b: Value) throws -> Value {
    if let x = a.integer, let y = b.integer { return try integers(operation, x, y) }
    if let x = a.number, let y = b.number { return .double(try doubles(operation, x, y)) }
    switch (operation, a, b) {
    case (.add, .text(let x), .text(let y)):
      if x.isMarkup || y.isMarkup {
        return .text(try Markup.joined([Markup.escaped(x, self), Markup.escaped(y, self)], self))
      }
      try meter.text(bytes: x.bytes.count + y.bytes.count)
      return .text(x + y)
    case (.add, .list(let x), .list(let y)):
      try meter.elements(x.elements.count + y.elements.count)
      return .list(x.elements + y.elements)
    case (.add, .tuple(let x), .tuple(let y)):
      try meter.elements(x.elements.count + y.elements.count)
      return .tuple(x.elements + y.elements)
    case (.modulo, .text(let format), _):
      var writer = PercentFormat(format, self)
      guard format.isMarkup else { return .text(try writer.formatted(b)) }
      return .text(Markup.marked(try writer.formatted(Markup.escaped(argument: b, self))))
    case (.multiply, _, _):
      if let count = b.integer, let repeated = try repeated(a, count) { return repeated }
      if let count = a.integer, let repeated = try repeated(b, count) { return repeated }
    default: break
    }
    try refuseUndefined(a, b)
    throw JinjaFault(
      "unsupported operand type(s) for \(operation.rawValue): '\(a.typeName)' and '\(b.typeName)'")
  }

  private func repeated(_ value: Value, _ count: Int) throws -> Value? {
    let count = max(count, 0)
    switch value {
    case .text(let text):
      try meter.text(bytes: Text.product(text.bytes.count, count))
      var result = Text(Array(repeatElement(text.bytes, count: text.isEmpty ? 0 : count).joined()))
      result.isMarkup = text.isMarkup
      return .text(result)
    case .list(let list), .tuple(let list):
      try meter.elements(Text.product(list.elements.count, count))
      let elements = Array(repeatElement(list.elements, count: list.elements.isEmpty ? 0 : count).joined())
      if case .tuple = value { return .tuple(elements) }
      return .list(elements)
    default: return nil
    }
  }

  private func integers(_ operation: Expression.Arithmetic, _ x: Int, _ y: Int) throws -> Value {
    var result = (partialValue: 0, overflow: false)
    switch operation {
    case .add: result = x.addingReportingOverflow(y)
    case .subtract: result = x.subtractingReportingOverflow(y)
    case .multiply: result = x.multipliedReportingOverflow(by: y)
    case .power:
      if y < 0 { return .double(try doubles(.power, Double(x), Double(y))) }
      result = try power(x, y)
    case .divide:
      guard y != 0 else { throw JinjaFault("division by zero") }
      return .double(Double(x) / Double(y))
    case .floorDivide, .modulo:
      guard y != 0 else { throw JinjaFault("integer division or modulo by zero") }
      guard y != -1 else {
        result = operation == .modulo ? (0, false) : 0.subtractingReportingOverflow(x)
        break
      }
      let isInexact = x % y != 0 && (x < 0) != (y < 0)
      result.partialValue = operation == .modulo ? x % y + (isInexact ? y : 0) : x / y - (isInexact ? 1 : 0)
    }
    guard !result.overflow else { throw JinjaFault("an integer is beyond 64 bits, which is not supported") }
    return .integer(result.partialValue)
  }

  private func power(_ x: Int, _ y: Int) throws -> (partialValue: Int, overflow: Bool) {
    if x == 0 || x == 1 || y == 0 { return (y == 0 ? 1 : x, false) }
    if x == -1 { return (y % 2 == 0 ? 1 : -1, false) }
    var result = 1
    for _ in 0..<min(y, 64) {
      let (product, overflow) = result.multipliedReportingOverflow(by: x)
      if overflow { return (0, true) }
      result = product
    }
    return (result, y > 64)
  }

  private func doubles(_ operation: Expression.Arithmetic, _ x: Double, _ y: Double) throws -> Double {
    switch operation {
    case .add: return x + y
    case .subtract: return x - y
    case .multiply: return x * y
    case .divide:
      guard y != 0 else { throw JinjaFault("float division by zero") }
      return x / y
    case .floorDivide:
      guard y != 0 else { throw JinjaFault("float floor division by zero") }
      return floored(x, y).quotient
    case .modulo:
      guard y != 0 else { throw JinjaFault("float modulo") }
      return floored(x, y).remainder
    case .power:
      if x == 0, y < 0 { throw JinjaFault("0.0 cannot be raised to a negative power") }
      if x < 0, x.isFinite, y.isFinite, y != y.rounded() {
        throw JinjaFault("a negative number to a broken power is complex, which is not supported")
      }
      let result = pow(x, y)
      if result.isInfinite, x.isFinite, y.isFinite { throw JinjaFault("the result of a power is too large") }
      return result
    }
  }

  /// Quotient and remainder as CPython's `float_divmod` has them.
  private func floored(_ x: Double, _ y: Double) -> (quotient: Double, remainder: Double) {
    var remainder = fmod(x, y)
    var quotient = (x - remainder) / y
    if remainder != 0 {
      if (y < 0) != (remainder < 0) {
        remainder += y
        quotient -= 1
      }
    } else {
      remainder = Double(signOf: y, magnitudeOf: 0)
    }
    if quotient != 0 {
      let whole = quotient.rounded(.down)
      quotient = quotient - whole > 0.5 ? whole + 1 : whole
    } else {
      quotient = Double(signOf: x / y, magnitudeOf: 0)
    }
    return (quotient, remainder)
  }

  func sign(_ value: Value, isNegative: Bool) throws -> Value {
    if let number = value.integer {
      guard isNegative else { return .integer(number) }
      return try integers(.subtract, 0, number)
    }
    if case .double(let number) = value { return .double(isNegative ? -number : number) }
    try refuseUndefined(value)
    throw JinjaFault("bad operand type for unary \(isNegative ? "-" : "+"): '\(value.typeName)'")
  }
}
