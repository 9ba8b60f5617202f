import Diagnostics

extension Parser {
  /// A name, a literal, or an expression in brackets.
  mutating func primary() throws(Diagnostic) -> Expression {
    let line = line
    switch current {
    case .name(let word):
      advance()
      return try node(name(word, line: line), line: line)
    case .text(var text):
      advance()
      while case .text(let next) = current {
        text = text + next
        advance()
      }
      return try node(.literal(.text(text)), line: line)
    case .integer(let number):
      advance()
      return try node(.literal(.integer(number)), line: line)
    case .double(let number):
      advance()
      return try node(.literal(.double(number)), line: line)
    case .sign(.openParenthesis):
      advance()
      let inner = try tuple(isParenthesized: true)
      try expect(.closeParenthesis)
      return inner
    case .sign(.openBracket): return try list()
    case .sign(.openBrace): return try dictionary()
    default: throw unexpected("an expression")
    }
  }

  private mutating func name(_ word: String, line: Int) throws(Diagnostic) -> Expression.Kind {
    switch word {
    case "true", "True": .literal(.bool(true))
    case "false", "False": .literal(.bool(false))
    case "none", "None": .literal(.none)
    case "self": throw unsupported("the variable 'self'", line: line)
    default: .name(place(word, line: line))
    }
  }

  private mutating func list() throws(Diagnostic) -> Expression {
    let line = line
    var items: [Expression] = []
    try expect(.openBracket)
    while !isAt(.closeBracket) {
      if !items.isEmpty { try expect(.comma) }
      if isAt(.closeBracket) { break }
      items.append(try expression())
    }
    try expect(.closeBracket)
    return try node(.list(items), line: line)
  }

  private mutating func dictionary() throws(Diagnostic) -> Expression {
    let line = line
    var entries: [(key: Expression, value: Expression)] = []
    try expect(.openBrace)
    while !isAt(.closeBrace) {
      if !entries.isEmpty { try expect(.comma) }
      if isAt(.closeBrace) { break }
      let key = try expression()
      try expect(.colon)
      entries.append((key, try expression()))
    }
    try expect(.closeBrace)
    return try node(.dictionary(entries), line: line)
  }

  /// `.name`, `.0` or `[...]` behind a value.
  mutating func subscripted(_ value: Expression) throws(Diagnostic) -> Expression {
    let line = line
    if take(.dot) {
      switch current {
      case .name(let name):
        advance()
        return try node(.attribute(value, Text(name), isKnown: Method.isKnown(Text(name))), line: line)
      case .integer(let number):
        advance()
        return try node(.subscripted(value, try node(.literal(.integer(number)), line: line)), line: line)
      default: throw unexpected("a name or a number")
      }
    }
    try expect(.openBracket)
    var items: [Expression] = []
    while !isAt(.closeBracket) {
      if !items.isEmpty { try expect(.comma) }
      items.append(try subscriptItem())
    }
    try expect(.closeBracket)
    if items.count == 1 { return try node(.subscripted(value, items[0]), line: line) }
    if items.contains(where: { if case .slice = $0.kind { true } else { false } }) {
      throw fault("a slice stands among other subscripts", line: line)
    }
    return try node(.subscripted(value, try node(.tuple(items), line: line)), line: line)
  }

  private mutating func subscriptItem() throws(Diagnostic) -> Expression {
    let line = line
    var start: Expression?
    if !isAt(.colon) {
      let item = try expression()
      guard isAt(.colon) else { return item }
      start = item
    }
    advance()
    var stop: Expression?
    if !isAt(.colon), !isAt(.closeBracket), !isAt(.comma) { stop = try expression() }
    var step: Expression?
    if take(.colon), !isAt(.closeBracket), !isAt(.comma) { step = try expression() }
    return try node(.slice(start: start, stop: stop, step: step), line: line)
  }
}
