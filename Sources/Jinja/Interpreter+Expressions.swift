extension Interpreter {
  /// The value of an expression.
  func evaluate(_ expression: Expression, _ scope: Scope) throws -> Value {
    switch expression.kind {
    case .literal(let constant):
      try meter.step()
      return Value(constant)
    case .name(let name):
      try meter.step()
      return value(of: name, scope)
    case .caught: return caught
    default: return try nested { try evaluateParts(expression, scope) }
    }
  }

  private func value(of name: Name, _ scope: Scope) -> Value {
    program.references[name.index].flatMap { scope.value($0) } ?? .undefined(Undefined(name: name.text))
  }

  private func evaluateParts(_ expression: Expression, _ scope: Scope) throws -> Value {
    switch expression.kind {
    case .attribute(let base, let name, let isKnown):
      let owner = try evaluate(base, scope)
      line = expression.line
      if !isKnown, case .dictionary(let dictionary) = owner {
        return dictionary[name] ?? .undefined(Undefined(attribute: .text(name), of: owner))
      }
      return try attribute(name, of: owner)
    case .subscripted(let base, let index): return try subscripted(base, index, line: expression.line, scope)
    case .call(let callee, let list):
      let function = try evaluate(callee, scope)
      let arguments = try arguments(list, scope)
      line = expression.line
      return try call(function, arguments)
    case .filter(let base, let named, let list):
      let value = try evaluate(base, scope)
      let arguments = try arguments(list, scope)
      line = expression.line
      guard let filter = named.filter else { throw JinjaFault("there is no filter '\(named.name)'") }
      return try filter.apply(to: value, arguments, self)
    case .test(let base, let named, let list):
      let value = try evaluate(base, scope)
      let arguments = try arguments(list, scope)
      line = expression.line
      guard let test = named.test else { throw JinjaFault("there is no test '\(named.name)'") }
      return .bool(try test.holds(for: value, arguments, self))
    case .and(let a, let b):
      let first = try evaluate(a, scope)
      return first.isTrue ? try evaluate(b, scope) : first
    case .or(let a, let b):
      let first = try evaluate(a, scope)
      return first.isTrue ? first : try evaluate(b, scope)
    case .not(let operand): return .bool(try !evaluate(operand, scope).isTrue)
    case .comparison(let first, let others): return try comparison(first, others, scope)
    case .conditional(let test, let value, let other):
      if try evaluate(test, scope).isTrue { return try evaluate(value, scope) }
      return try other.map { try evaluate($0, scope) }
        ?? .undefined(Undefined("the inline if-expression evaluated to false and no else section was defined"))
    default: return try evaluateOperation(expression, scope)
    }
  }

  private func evaluateOperation(_ expression: Expression, _ scope: Scope) throws -> Value {
    switch expression.kind {
    case .arithmetic(let operation, let a, let b):
      let left = try evaluate(a, scope)
      let right = try evaluate(b, scope)
      line = expression.line
      return try arithmetic(operation, left, right)
    case .concatenation(let items):
      var bytes: [UInt8] = []
      for item in items {
        bytes += try text(evaluate(item, scope)).bytes
        if bytes.count > meter.limits.textBytes { break }
      }
      try meter.text(bytes: bytes.count)
      return .text(Text(bytes))
    case .sign(let isNegative, let operand): return try sign(evaluate(operand, scope), isNegative: isNegative)
    case .list(let items): return .list(try elements(items, scope))
    case .tuple(let items): return .tuple(try elements(items, scope))
    case .dictionary(let entries):
      let dictionary = DictionaryValue()
      try meter.elements(2 * entries.count)
      for entry in entries {
        let key = try evaluate(entry.key, scope)
        try dictionary.set(key, evaluate(entry.value, scope), meter)
      }
      try meter.check(depth: dictionary.depth)
      return .dictionary(dictionary)
    default: return .none
    }
  }

  private func elements(_ items: [Expression], _ scope: Scope) throws -> [Value] {
    try meter.elements(items.count)
    let values = try items.map { try evaluate($0, scope) }
    for value in values where value.depth >= meter.limits.depth { try meter.check(depth: value.depth + 1) }
    return values
  }

  private func comparison(
    _ first: Expression, _ others: [(operation: Expression.Comparison, operand: Expression)], _ scope: Scope
  ) throws -> Value {
    var left = try evaluate(first, scope)
    for (operation, operand) in others {
      let right = try evaluate(operand, scope)
      guard try compare(left, operation, right) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  // MARK: Calls

  func arguments(_ list: ArgumentList, _ scope: Scope) throws -> Arguments {
    if list.isEmpty { return Arguments() }
    var arguments = Arguments()
    for item in list.positional { arguments.positional.append(try evaluate(item, scope)) }
    for (name, item) in list.named { arguments.named.append((name, try evaluate(item, scope))) }
    if let more = list.list { arguments.positional += try evaluate(more, scope).elements(meter) }
    if let more = list.dictionary {
      guard case .dictionary(let dictionary) = try evaluate(more, scope) else {
        throw JinjaFault("argument after ** must be a mapping")
      }
      for (key, value) in zip(dictionary.keys, dictionary.values) {
        guard case .text(let name) = key else { throw JinjaFault("keywords must be strings") }
        guard !arguments.named.contains(where: { $0.name == name }) else {
          throw JinjaFault("multiple values for keyword argument '\(name.string)'")
        }
        arguments.named.append((name, value))
      }
    }
    return arguments
  }

  func call(_ function: Value, _ arguments: Arguments) throws -> Value {
    switch function {
    case .object(let object):
      let value = try object.call(arguments, self)
      if value.depth > meter.limits.depth { try meter.check(depth: value.depth) }
      return value
    case .undefined(let undefined): throw JinjaFault(undefined.message)
    default: throw JinjaFault("'\(function.typeName)' object is not callable")
    }
  }

  // MARK: Subscripts

  private func subscripted(_ base: Expression, _ index: Expression, line: Int, _ scope: Scope) throws -> Value {
    let owner = try evaluate(base, scope)
    guard case .slice(let start, let stop, let step) = index.kind else {
      let key = try evaluate(index, scope)
      self.line = line
      return try element(key, of: owner)
    }
    let bounds = try [start, stop, step].map { try $0.map { try evaluate($0, scope) } ?? .none }
    self.line = line
    return try slice(owner, start: bounds[0], stop: bounds[1], step: bounds[2])
  }
}
