extension Interpreter {
  /// Runs statements until one leaves a loop around them.
  func run(_ statements: [Statement], _ scope: Scope) throws -> Flow {
    for statement in statements {
      let flow = try run(statement, scope)
      if flow != .next { return flow }
    }
    return .next
  }

  private func run(_ statement: Statement, _ scope: Scope) throws -> Flow {
    switch statement {
    case .text(let text):
      try write(text)
      return .next
    case .output(let expression):
      line = expression.line
      try write(self.text(evaluate(expression, scope)))
      return .next
    case .assignment(let target, let value, let line):
      self.line = line
      try assign(target, value, scope)
      return .next
    case .leave: return .leave
    case .proceed: return .proceed
    default: return try nested { try runBlock(statement, scope) }
    }
  }

  private func runBlock(_ statement: Statement, _ scope: Scope) throws -> Flow {
    switch statement {
    case .conditional(let branches, let other):
      for branch in branches {
        line = branch.test.line
        if try evaluate(branch.test, scope).isTrue { return try run(branch.body, scope) }
      }
      return try run(other, scope)
    case .loop(let loop): return try run(loop, scope)
    case .capture(let target, let filter, let block): return try capture(target, filter, block, scope)
    case .macro(let name, let macro):
      keep(scope)
      assign(.object(MacroValue(macro, in: scope)), to: name, scope)
    case .call(let call, let macro): try run(call, macro, scope)
    case .generation(let macro):
      line = macro.line
      let text = try MacroValue(macro, in: scope).call(Arguments(), self)
      if case .text(let text) = text {
        note(generated: text)
        try write(text)
      }
    case .filtered(let filter, let block): return try filtered(filter, block, scope)
    case .with(let entries, let block):
      let inner = self.scope(block.scope, in: scope)
      for entry in entries { try unpack(evaluate(entry.value, scope), to: entry.target, inner) }
      return try run(block.body, inner)
    default: break
    }
    return .next
  }

  private func run(_ call: Expression, _ macro: Macro, _ scope: Scope) throws {
    guard case .call(let callee, let list) = call.kind else { return }
    line = call.line
    keep(scope)
    let caller = Value.object(MacroValue(macro, in: scope))
    let function = try evaluate(callee, scope)
    var arguments = try self.arguments(list, scope)
    guard !arguments.named.contains(where: { $0.name == "caller" }) else {
      throw JinjaFault("a call block gives its call a second 'caller'")
    }
    arguments.named.append(("caller", caller))
    try writeText(self.call(function, arguments))
  }

  private func filtered(_ filter: Expression, _ block: Block, _ scope: Scope) throws -> Flow {
    let inner = self.scope(block.scope, in: scope)
    let (flow, text) = try catching { try run(block.body, inner) }
    guard flow == .next else { return flow }
    try writeText(evaluate(filter, catching: text, inner))
    return .next
  }

  /// Writes what a block gives, which Jinja does not turn to text itself.
  private func writeText(_ value: Value) throws {
    guard case .text(let text) = value else { throw JinjaFault("a block gives \(value.typeName) in place of a string") }
    try write(text)
  }

  private func capture(_ target: Target, _ filter: Expression?, _ block: Block, _ scope: Scope) throws -> Flow {
    let inner = self.scope(block.scope, in: scope)
    let (flow, text) = try catching { try run(block.body, inner) }
    guard flow == .next else { return flow }
    let value = try filter.map { try evaluate($0, catching: text, inner) } ?? .text(text)
    try unpack(value, to: target, scope)
    return .next
  }

  private func evaluate(_ filter: Expression, catching text: Text, _ scope: Scope) throws -> Value {
    let before = caught
    defer { caught = before }
    caught = .text(text)
    return try evaluate(filter, scope)
  }

  // MARK: Loops

  private func run(_ loop: Loop, _ scope: Scope) throws -> Flow {
    line = loop.line
    let elements = try evaluate(loop.elements, scope)
    let source = loop.test == nil ? elements : try filtered(loop, elements, scope)
    let inner = Scope(program.scopes[loop.bodyScope].slotCount, in: scope)
    var isEmpty = true
    var flow = Flow.next
    if let place = program.references[loop.variable.index] {
      let state = try LoopState(source)
      while let element = try state.advance() {
        isEmpty = false
        inner.set(.object(state), place)
        flow = try run(loop, element, inner)
        if flow == .leave { break }
      }
    } else {
      var cursor = try Cursor(source)
      while let element = try cursor.next() {
        isEmpty = false
        flow = try run(loop, element, inner)
        if flow == .leave { break }
      }
    }
    if isEmpty, !loop.other.isEmpty { return try run(loop.other, self.scope(loop.otherScope, in: scope)) }
    return .next
  }

  private func run(_ loop: Loop, _ element: Value, _ inner: Scope) throws -> Flow {
    try meter.step()
    try unpack(element, to: loop.target, inner)
    enter(inner, loop.bodyScope)
    return try run(loop.body, inner)
  }

  /// The elements for which the test of a loop holds, which is asked when they are wanted.
  private func filtered(_ loop: Loop, _ elements: Value, _ scope: Scope) throws -> Value {
    guard let test = loop.test else { return elements }
    var cursor = try Cursor(elements)
    let inner = self.scope(loop.testScope, in: scope)
    return .generator(
      Generator("filter", over: elements) { [self] in
        while let element = try cursor.next() {
          try unpack(element, to: loop.testTarget, inner)
          if try evaluate(test, inner).isTrue { return element }
        }
        return nil
      })
  }

  // MARK: Assignments

  private func assign(_ target: Target, _ value: Expression, _ scope: Scope) throws {
    try checkNamespaces(target, scope)
    let value = try evaluate(value, scope)
    if value.depth > meter.limits.depth { try meter.check(depth: value.depth) }
    try unpack(value, to: target, scope)
  }

  private func checkNamespaces(_ target: Target, _ scope: Scope) throws {
    switch target {
    case .name: break
    case .attribute(let name, _): _ = try namespace(name, scope)
    case .tuple(let targets): for target in targets { try checkNamespaces(target, scope) }
    }
  }

  private func namespace(_ name: Name, _ scope: Scope) throws -> Namespace {
    guard let place = program.references[name.index], case .object(let object) = scope.value(place),
      let namespace = object as? Namespace
    else { throw JinjaFault("cannot assign attribute on non-namespace object") }
    return namespace
  }

  /// Assigns a value, to several targets its elements.
  func unpack(_ value: Value, to target: Target, _ scope: Scope) throws {
    switch target {
    case .name(let name): assign(value, to: name, scope)
    case .attribute(let name, let attribute): try namespace(name, scope).set(attribute, value)
    case .tuple(let targets):
      var cursor = try Cursor(value)
      var elements: [Value] = []
      while let element = try cursor.next() {
        elements.append(element)
        if elements.count > targets.count {
          throw JinjaFault("too many values to unpack (expected \(targets.count))")
        }
      }
      guard elements.count == targets.count else {
        throw JinjaFault("not enough values to unpack (expected \(targets.count), got \(elements.count))")
      }
      for (target, element) in zip(targets, elements) { try unpack(element, to: target, scope) }
    }
  }
}
