import Diagnostics

/// Reads the tokens of a template as statements and expressions, by the rules of Jinja's parser.
struct Parser {
  /// Statements and expressions inside of each other, beyond which a template is refused: Python, which Jinja
  /// translates templates to, refuses about as many brackets and fewer blocks.
  static let maximumDepth = 200

  private let tokens: [Token]
  private var position = 0
  private var depth = 0
  /// Places where names are read or written, so far.
  private(set) var nameCount = 0
  /// Scopes so far; the first is the template's.
  private var scopeCount = 1
  private(set) var usesDate = false
  var marksGeneration = false
  /// Loops around that a `break` would leave.
  var loops = 0
  /// Whether what is read may never be run, in which case Jinja refuses an unknown filter only when it is.
  var isSoft = false

  init(_ tokens: [Token]) { self.tokens = tokens }

  /// The whole template.
  mutating func template() throws(Diagnostic) -> [Statement] {
    let body = try statements(until: [])
    guard current == .end else { throw unexpected("the end of the template") }
    return body
  }

  // MARK: Tokens

  var current: Token.Kind { tokens[position].kind }
  var following: Token.Kind { tokens[min(position + 1, tokens.count - 1)].kind }
  var line: Int { tokens[position].line }

  mutating func advance() { position = min(position + 1, tokens.count - 1) }

  func isAt(_ sign: Token.Sign) -> Bool { current == .sign(sign) }
  func isAt(_ word: String) -> Bool { current == .name(word) }

  mutating func take(_ sign: Token.Sign) -> Bool {
    guard isAt(sign) else { return false }
    advance()
    return true
  }

  mutating func take(_ word: String) -> Bool {
    guard isAt(word) else { return false }
    advance()
    return true
  }

  mutating func expect(_ sign: Token.Sign) throws(Diagnostic) {
    guard take(sign) else { throw unexpected("'\(sign.rawValue)'") }
  }

  mutating func expect(_ word: String) throws(Diagnostic) {
    guard take(word) else { throw unexpected("'\(word)'") }
  }

  mutating func expect(_ kind: Token.Kind, _ name: String) throws(Diagnostic) {
    guard current == kind else { throw unexpected(name) }
    advance()
  }

  /// A word, whatever it is.
  mutating func word(_ what: String) throws(Diagnostic) -> String {
    guard case .name(let word) = current else { throw unexpected(what) }
    advance()
    return word
  }

  // MARK: Names, scopes and depth

  mutating func place(_ text: String, line: Int) -> Name {
    defer { nameCount += 1 }
    if text == "strftime_now" { usesDate = true }
    return Name(text: text, index: nameCount, line: line)
  }

  mutating func newScope() -> Int {
    defer { scopeCount += 1 }
    return scopeCount
  }

  /// The same target at places of its own.
  mutating func again(_ target: Target) -> Target {
    switch target {
    case .name(let name): return .name(place(name.text, line: name.line))
    case .attribute(let name, let attribute): return .attribute(place(name.text, line: name.line), attribute)
    case .tuple(let targets):
      var places: [Target] = []
      for target in targets { places.append(again(target)) }
      return .tuple(places)
    }
  }

  /// Runs a part of the parser one level further in.
  mutating func nested<Result>(
    _ body: (inout Parser) throws(Diagnostic) -> Result
  ) throws(Diagnostic) -> Result {
    guard depth < Self.maximumDepth else { throw tooDeep() }
    depth += 1
    defer { depth -= 1 }
    return try body(&self)
  }

  func node(_ kind: Expression.Kind, line: Int) throws(Diagnostic) -> Expression {
    let node = Expression(kind, line: line)
    guard node.depth <= Self.maximumDepth else { throw tooDeep() }
    return node
  }

  // MARK: Messages

  private func tooDeep() -> Diagnostic {
    .input("the chat template is nested more than \(Self.maximumDepth) levels deep", line: line)
  }

  func fault(_ message: String, line: Int? = nil) -> Diagnostic {
    .input("the chat template is not valid: \(message)", line: line ?? self.line)
  }

  func unexpected(_ expected: String) -> Diagnostic {
    fault("expected \(expected), found \(tokens[position].name)")
  }

  func unsupported(_ what: String, line: Int? = nil) -> Diagnostic {
    .input(
      "the chat template has \(what), which is not supported", line: line ?? self.line,
      remedy: "write the template without it")
  }
}
