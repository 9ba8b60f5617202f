/// Goes through all names of statements, however far in, in the order in which Jinja does.
struct NameWalk {
  /// Takes a name, and whether it is read there; a name that it returns ends the walk.
  let visit: (Name, _ isRead: Bool) -> Name?

  /// Which of some names statements read before they assign them, by the order of the text.
  static func undeclared(_ names: Set<String>, in statements: [Statement]) -> Set<String> {
    var wanted = names
    var found: Set<String> = []
    let walk = NameWalk { name, isRead in
      if isRead && wanted.contains(name.text) {
        found.insert(name.text)
      } else {
        wanted.remove(name.text)
      }
      return nil
    }
    _ = walk.first(in: statements)
    return found
  }

  func first(in statements: [Statement]) -> Name? {
    for statement in statements { if let found = first(in: statement) { return found } }
    return nil
  }

  private func first(in statement: Statement) -> Name? {
    switch statement {
    case .text, .leave, .proceed: return nil
    case .output(let expression): return first(in: expression)
    case .assignment(let target, let value, _): return first(in: target) ?? first(in: value)
    case .capture(let target, let filter, let block):
      return first(in: target) ?? filter.flatMap { first(in: $0) } ?? first(in: block.body)
    case .conditional(let branches, let other):
      for branch in branches { if let found = first(in: branch.test) ?? first(in: branch.body) { return found } }
      return first(in: other)
    case .loop(let loop):
      return first(in: loop.target) ?? first(in: loop.elements) ?? first(in: loop.body) ?? first(in: loop.other)
        ?? loop.test.flatMap { first(in: $0) }
    case .macro(_, let macro), .generation(let macro): return first(in: macro)
    case .call(let call, let macro): return first(in: call) ?? first(in: macro)
    case .filtered(let filter, let block): return first(in: block.body) ?? first(in: filter)
    case .with(let entries, let block):
      for entry in entries { if let found = first(in: entry.target) { return found } }
      for entry in entries { if let found = first(in: entry.value) { return found } }
      return first(in: block.body)
    }
  }

  private func first(in macro: Macro) -> Name? {
    for parameter in macro.parameters { if let found = visit(parameter.name, false) { return found } }
    for parameter in macro.parameters {
      if let fallback = parameter.fallback, let found = first(in: fallback) { return found }
    }
    return first(in: macro.body)
  }

  private func first(in target: Target) -> Name? {
    for name in target.names { if let found = visit(name, false) { return found } }
    return nil
  }

  private func first(in expression: Expression) -> Name? {
    if case .name(let name) = expression.kind, let found = visit(name, true) { return found }
    for part in expression.kind.parts { if let found = first(in: part) { return found } }
    return nil
  }
}
