import Diagnostics

extension Parser {
  /// Statements up to a tag that begins with one of `ends`, which is left to be read behind its `{%`; up to the end of
  /// the template where there are none.
  mutating func statements(until ends: [String]) throws(Diagnostic) -> [Statement] {
    try nested { (parser) throws(Diagnostic) in
      var body: [Statement] = []
      while true {
        switch parser.current {
        case .data(let text):
          body.append(.text(text))
          parser.advance()
        case .variableBegin:
          parser.advance()
          body.append(.output(try parser.tuple()))
          try parser.expect(.variableEnd, "'}}'")
        case .blockBegin:
          parser.advance()
          if case .name(let word) = parser.current, ends.contains(word) { return body }
          body += try parser.statement(ends)
          try parser.expect(.blockEnd, "'%}'")
        default:
          guard ends.isEmpty else {
            throw parser.unexpected(ends.map { "'{% \($0) %}'" }.joined(separator: " or "))
          }
          return body
        }
      }
    }
  }

  /// The body of a tag, from the end of the tag on, and the word that ends it.
  private mutating func body(until ends: String...) throws(Diagnostic) -> (statements: [Statement], end: String) {
    _ = take(.colon)
    try expect(.blockEnd, "'%}'")
    let body = try statements(until: ends)
    return (body, try word("a tag"))
  }

  private typealias Read = @Sendable (inout Parser) throws(Diagnostic) -> [Statement]

  private static let readers: [String: Read] = [
    "for": { (parser) throws(Diagnostic) in [.loop(try parser.loop())] },
    "if": { (parser) throws(Diagnostic) in [try parser.conditional()] },
    "set": { (parser) throws(Diagnostic) in [try parser.assignment()] },
    "macro": { (parser) throws(Diagnostic) in [try parser.macro()] },
    "call": { (parser) throws(Diagnostic) in [try parser.callBlock()] },
    "filter": { (parser) throws(Diagnostic) in [try parser.filterBlock()] },
    "with": { (parser) throws(Diagnostic) in [try parser.with()] },
    "generation": { (parser) throws(Diagnostic) in [try parser.generation()] },
    "print": { (parser) throws(Diagnostic) in try parser.printed() },
    "break": { (parser) throws(Diagnostic) in [.leave(line: try parser.loopControl("break"))] },
    "continue": { (parser) throws(Diagnostic) in [.proceed(line: try parser.loopControl("continue"))] },
  ]

  private static let refused: Set = ["include", "import", "from", "extends", "block", "autoescape"]

  private mutating func statement(_ ends: [String]) throws(Diagnostic) -> [Statement] {
    guard case .name(let word) = current else { throw unexpected("the name of a tag") }
    if Self.refused.contains(word) { throw unsupported("the tag '\(word)'") }
    guard let read = Self.readers[word] else {
      let wanted = ends.isEmpty ? "" : ", where '\(ends.joined(separator: "' or '"))' was to come"
      throw fault("'\(word)' is no tag\(wanted)")
    }
    advance()
    return try read(&self)
  }

  // MARK: Tags

  private mutating func loopControl(_ word: String) throws(Diagnostic) -> Int {
    guard loops > 0 else { throw fault("'\(word)' stands in no loop") }
    return line
  }

  private mutating func printed() throws(Diagnostic) -> [Statement] {
    var body: [Statement] = []
    while current != .blockEnd {
      if !body.isEmpty { try expect(.comma) }
      body.append(.output(try expression()))
    }
    return body
  }

  private mutating func assignment() throws(Diagnostic) -> Statement {
    let line = line
    let target = try target(allowsAttributes: true)
    if take(.assign) { return .assignment(target, try tuple(), line: line) }
    let filter = try filters(try node(.caught, line: line))
    let scope = newScope()
    let body = try body(until: "endset").statements
    if case .caught = filter.kind { return .capture(target, filter: nil, Block(body: body, scope: scope)) }
    return .capture(target, filter: filter, Block(body: body, scope: scope))
  }

  private mutating func loop() throws(Diagnostic) -> Loop {
    let line = line
    let target = try target(ends: ["in"])
    try expect("in")
    let elements = try tuple(withConditional: false, ends: ["recursive"])
    let test = take("if") ? try expression() : nil
    if isAt("recursive") { throw unsupported("a recursive loop") }
    let wasSoft = isSoft
    defer { isSoft = wasSoft }
    isSoft = false
    loops += 1
    let (bodyScope, testScope, otherScope) = (newScope(), newScope(), newScope())
    let (body, end) = try body(until: "endfor", "else")
    loops -= 1
    let other = end == "else" ? try self.body(until: "endfor").statements : []
    return Loop(
      target: target, elements: elements, test: test, body: body, other: other, line: line, bodyScope: bodyScope,
      testScope: testScope, otherScope: otherScope, testTarget: again(target), variable: place("loop", line: line))
  }

  private mutating func conditional() throws(Diagnostic) -> Statement {
    let wasSoft = isSoft
    defer { isSoft = wasSoft }
    isSoft = true
    var branches: [(test: Expression, body: [Statement])] = []
    while true {
      let test = try tuple(withConditional: false)
      let (body, end) = try body(until: "elif", "else", "endif")
      branches.append((test, body))
      if end == "elif" { continue }
      return .conditional(branches, other: end == "else" ? try self.body(until: "endif").statements : [])
    }
  }

  private mutating func with() throws(Diagnostic) -> Statement {
    var entries: [(target: Target, value: Expression)] = []
    while current != .blockEnd {
      if !entries.isEmpty { try expect(.comma) }
      let target = try target()
      try expect(.assign)
      entries.append((target, try expression()))
    }
    let wasSoft = isSoft
    defer { isSoft = wasSoft }
    isSoft = false
    let scope = newScope()
    return .with(entries, Block(body: try body(until: "endwith").statements, scope: scope))
  }

  private mutating func filterBlock() throws(Diagnostic) -> Statement {
    let line = line
    let wasSoft = isSoft
    defer { isSoft = wasSoft }
    isSoft = false
    let filter = try filters(try node(.caught, line: line), startsInline: true)
    let scope = newScope()
    return .filtered(filter, Block(body: try body(until: "endfilter").statements, scope: scope))
  }

  // MARK: Macros

  private mutating func macro() throws(Diagnostic) -> Statement {
    let line = line
    let text = try word("the name of the macro")
    guard !Self.isReserved(text) else { throw fault("nothing can be assigned to '\(text)'") }
    let name = place(text, line: line)
    return .macro(name, try macro(text, signature(), until: "endmacro", line: line))
  }

  private mutating func callBlock() throws(Diagnostic) -> Statement {
    let line = line
    let parameters = isAt(.openParenthesis) ? try signature() : []
    let call = try expression()
    guard case .call = call.kind else { throw fault("expected a call behind 'call'", line: line) }
    return .call(call, try macro(nil, parameters, until: "endcall", line: line))
  }

  private mutating func generation() throws(Diagnostic) -> Statement {
    marksGeneration = true
    return .generation(try macro(nil, [], until: "endgeneration", line: line))
  }

  private mutating func macro(
    _ name: String?, _ parameters: [Macro.Parameter], until end: String, line: Int
  ) throws(Diagnostic) -> Macro {
    let outer = (loops, isSoft)
    defer { (loops, isSoft) = outer }
    (loops, isSoft) = (0, false)
    let scope = newScope()
    let body = try body(until: end).statements
    return Macro(
      name: name, parameters: parameters, body: body, scope: scope, line: line, caller: place("caller", line: line),
      varargs: place("varargs", line: line), kwargs: place("kwargs", line: line))
  }

  private mutating func signature() throws(Diagnostic) -> [Macro.Parameter] {
    let wasSoft = isSoft
    defer { isSoft = wasSoft }
    isSoft = false
    var parameters: [Macro.Parameter] = []
    try expect(.openParenthesis)
    while !isAt(.closeParenthesis) {
      if !parameters.isEmpty { try expect(.comma) }
      let line = line
      let text = try word("the name of a parameter")
      guard !Self.isReserved(text) else { throw fault("nothing can be assigned to '\(text)'") }
      guard !parameters.contains(where: { $0.name.text == text }) else {
        throw fault("the parameter '\(text)' comes twice")
      }
      let name = place(text, line: line)
      let fallback = take(.assign) ? try expression() : nil
      if fallback == nil, parameters.last?.fallback != nil {
        throw fault("a parameter without a default follows one that has it")
      }
      parameters.append(Macro.Parameter(name: name, fallback: fallback))
    }
    try expect(.closeParenthesis)
    return parameters
  }

  // MARK: Targets

  private static func isReserved(_ name: String) -> Bool {
    ["true", "false", "none", "True", "False", "None"].contains(name)
  }

  private mutating func target(
    ends: [String] = [], allowsAttributes: Bool = false
  ) throws(Diagnostic) -> Target {
    var targets: [Target] = []
    var isTuple = false
    while true {
      if !targets.isEmpty { try expect(.comma) }
      if isTupleEnd(ends) { break }
      targets.append(try oneTarget(allowsAttributes: allowsAttributes))
      guard isAt(.comma) else { break }
      isTuple = true
    }
    if !isTuple, let only = targets.first { return only }
    guard isTuple else { throw unexpected("a name to assign to") }
    return .tuple(targets)
  }

  private mutating func oneTarget(allowsAttributes: Bool) throws(Diagnostic) -> Target {
    let line = line
    if take(.openParenthesis) {
      let inner = try nested { (parser) throws(Diagnostic) in
        parser.isAt(.closeParenthesis) ? .tuple([]) : try parser.target()
      }
      try expect(.closeParenthesis)
      return inner
    }
    let text = try word("a name to assign to")
    guard !Self.isReserved(text) else { throw fault("nothing can be assigned to '\(text)'") }
    guard allowsAttributes, take(.dot) else { return .name(place(text, line: line)) }
    return .attribute(place(text, line: line), Text(try word("the name of an attribute")))
  }
}
