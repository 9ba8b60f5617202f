import Diagnostics

/// Gives every name of a template its place, scope by scope.
struct Resolver {
  private var references: [Program.Reference?]
  private var scopes: [Int: Program.ScopeLayout] = [:]
  private var externals: [String: Int] = [:]

  static func program(of body: [Statement], names: Int) throws(Diagnostic) -> Program {
    var resolver = Resolver(references: Array(repeating: nil, count: names))
    let symbols = Symbols(in: nil)
    symbols.add(body)
    try resolver.resolve(body, symbols)
    resolver.finish(0, symbols)
    let layouts = (0...(resolver.scopes.keys.max() ?? 0)).map { resolver.scopes[$0] ?? Program.ScopeLayout() }
    let externals = resolver.externals.sorted { $0.value < $1.value }.map(\.key)
    return Program(body: body, references: resolver.references, scopes: layouts, externals: externals)
  }

  private init(references: [Program.Reference?]) { self.references = references }

  private mutating func finish(_ scope: Int, _ symbols: Symbols) {
    scopes[scope] = symbols.layout { name in
      if let known = externals[name] { return known }
      externals[name] = externals.count
      return externals.count - 1
    }
  }

  // MARK: Names

  private mutating func resolve(_ name: Name, _ symbols: Symbols) { references[name.index] = symbols.find(name.text) }

  private mutating func resolve(_ expression: Expression, _ symbols: Symbols) {
    if case .name(let name) = expression.kind { resolve(name, symbols) }
    for part in expression.kind.parts { resolve(part, symbols) }
  }

  private mutating func resolve(_ target: Target, _ symbols: Symbols) {
    switch target {
    case .name(let name), .attribute(let name, _): resolve(name, symbols)
    case .tuple(let targets): for target in targets { resolve(target, symbols) }
    }
  }

  // MARK: Statements

  private mutating func resolve(_ statements: [Statement], _ symbols: Symbols) throws(Diagnostic) {
    for statement in statements { try resolve(statement, symbols) }
  }

  private mutating func resolve(_ statement: Statement, _ symbols: Symbols) throws(Diagnostic) {
    switch statement {
    case .text, .leave, .proceed: break
    case .output(let expression): resolve(expression, symbols)
    case .assignment(let target, let value, _):
      resolve(value, symbols)
      resolve(target, symbols)
    case .capture(let target, let filter, let block):
      resolve(target, symbols)
      try resolve(block, filter, Symbols(in: symbols))
    case .conditional(let branches, let other):
      for branch in branches {
        resolve(branch.test, symbols)
        try resolve(branch.body, symbols)
      }
      try resolve(other, symbols)
    case .loop(let loop): try resolve(loop, symbols)
    case .macro(let name, let macro):
      try resolve(macro, symbols)
      resolve(name, symbols)
    case .call(let call, let macro):
      try resolve(macro, symbols)
      resolve(call, symbols)
    case .generation(let macro): try resolve(macro, symbols)
    case .filtered(let filter, let block): try resolve(block, filter, Symbols(in: symbols))
    case .with(let entries, let block):
      let inner = Symbols(in: symbols)
      for entry in entries {
        resolve(entry.value, symbols)
        inner.add(entry.target, isParameter: true)
      }
      for entry in entries { resolve(entry.target, inner) }
      try resolve(block, nil, inner)
    }
  }

  private mutating func resolve(
    _ block: Block, _ filter: Expression?, _ symbols: Symbols
  ) throws(Diagnostic) {
    symbols.add(block.body)
    if let filter {
      symbols.add(filter)
      resolve(filter, symbols)
    }
    try resolve(block.body, symbols)
    finish(block.scope, symbols)
  }

  private mutating func resolve(_ loop: Loop, _ symbols: Symbols) throws(Diagnostic) {
    resolve(loop.elements, symbols)
    let walk = NameWalk { name, isRead in
      !isRead && name.text == "loop" ? name : nil
    }
    if let name = walk.first(in: [.loop(loop)]) {
      throw .input("the chat template is not valid: nothing can be assigned to 'loop' in a loop", line: name.line)
    }
    let body = Symbols(in: symbols)
    if NameWalk.undeclared(["loop"], in: loop.body).contains("loop") { body.declare("loop") }
    body.add(loop.target, isParameter: true)
    body.add(loop.body)
    resolve(loop.target, body)
    references[loop.variable.index] = body.find("loop").flatMap { $0.depth == 0 ? $0 : nil }
    try resolve(loop.body, body)
    finish(loop.bodyScope, body)
    if let test = loop.test {
      let inner = Symbols(in: symbols)
      inner.add(loop.testTarget, isParameter: true)
      inner.add(test)
      resolve(loop.testTarget, inner)
      resolve(test, inner)
      finish(loop.testScope, inner)
    }
    let other = Symbols(in: symbols)
    other.add(loop.other)
    try resolve(loop.other, other)
    finish(loop.otherScope, other)
  }

  private mutating func resolve(_ macro: Macro, _ symbols: Symbols) throws(Diagnostic) {
    let inner = Symbols(in: symbols)
    func add() {
      for parameter in macro.parameters { inner.declare(parameter.name.text) }
      for parameter in macro.parameters { if let fallback = parameter.fallback { inner.add(fallback) } }
      inner.add(macro.body)
    }
    add()
    let read = NameWalk.undeclared(["caller", "kwargs", "varargs"], in: macro.body)
    for place in [macro.caller, macro.kwargs, macro.varargs] where read.contains(place.text) {
      if let own = macro.parameters.first(where: { $0.name.text == place.text }) {
        guard place.text != "caller" || own.fallback != nil else {
          throw .input(
            "the chat template is not valid: the parameter 'caller' needs a default", line: own.name.line)
        }
        continue
      }
      inner.declare(place.text)
    }
    add()
    for parameter in macro.parameters {
      resolve(parameter.name, inner)
      if let fallback = parameter.fallback { resolve(fallback, inner) }
    }
    for place in [macro.caller, macro.kwargs, macro.varargs]
    where read.contains(place.text) && !macro.parameters.contains(where: { $0.name.text == place.text }) {
      resolve(place, inner)
    }
    try resolve(macro.body, inner)
    finish(macro.scope, inner)
  }
}
