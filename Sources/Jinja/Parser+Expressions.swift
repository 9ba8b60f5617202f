import Diagnostics

extension Parser {
  /// One expression, or several with commas between them as a tuple.
  mutating func tuple(
    withConditional: Bool = true, ends: [String] = [], isParenthesized: Bool = false
  ) throws(Diagnostic) -> Expression {
    let line = line
    var items: [Expression] = []
    var isTuple = false
    while true {
      if !items.isEmpty { try expect(.comma) }
      if isTupleEnd(ends) { break }
      items.append(try expression(withConditional: withConditional))
      guard isAt(.comma) else { break }
      isTuple = true
    }
    if !isTuple {
      if let only = items.first { return only }
      guard isParenthesized else { throw unexpected("an expression") }
    }
    return try node(.tuple(items), line: line)
  }

  func isTupleEnd(_ ends: [String]) -> Bool {
    switch current {
    case .variableEnd, .blockEnd, .sign(.closeParenthesis): true
    case .name(let word): ends.contains(word)
    default: false
    }
  }

  mutating func expression(withConditional: Bool = true) throws(Diagnostic) -> Expression {
    try nested { (parser) throws(Diagnostic) in
      withConditional ? try parser.conditionalExpression() : try parser.operators(.or)
    }
  }

  private mutating func conditionalExpression() throws(Diagnostic) -> Expression {
    var line = line
    // Jinja refuses an unknown filter of a conditional expression only when it meets it.
    let wasSoft = isSoft
    defer { isSoft = wasSoft }
    var value = try operators(.or)
    while take("if") {
      isSoft = true
      let test = try operators(.or)
      let other = take("else") ? try expression() : nil
      value = try node(.conditional(test: test, value: value, other: other), line: line)
      line = self.line
    }
    return value
  }

  // MARK: Operators

  /// How tightly operators bind, from the loosest on.
  private enum Level: Int {
    case or, and, not, comparison, sum, concatenation, product, power, operand

    var tighter: Level { Level(rawValue: rawValue + 1) ?? .operand }
  }

  private static let arithmetic: [Token.Sign: (operation: Expression.Arithmetic, level: Level)] = [
    .plus: (.add, .sum), .minus: (.subtract, .sum), .times: (.multiply, .product), .divide: (.divide, .product),
    .floorDivide: (.floorDivide, .product), .modulo: (.modulo, .product), .power: (.power, .power),
  ]

  private static let comparisons: [Token.Sign: Expression.Comparison] = [
    .equal: .equal, .notEqual: .notEqual, .less: .less, .lessOrEqual: .lessOrEqual, .greater: .greater,
    .greaterOrEqual: .greaterOrEqual,
  ]

  /// Operands and the operators between them that bind at least as tightly as a level: one function for all levels, as
  /// one for each would take a deep stack for every bracket.
  private mutating func operators(_ loosest: Level) throws(Diagnostic) -> Expression {
    let line = line
    var left: Expression
    if loosest.rawValue <= Level.not.rawValue, take("not") {
      left = try node(.not(try nested { (parser) throws(Diagnostic) in try parser.operators(.not) }), line: line)
    } else {
      left = try unary(withFilters: true)
    }
    while let level, level.rawValue >= loosest.rawValue { left = try joined(left, level) }
    return left
  }

  /// The level of the operator that comes next; nil where none does.
  private var level: Level? {
    switch current {
    case .sign(.tilde): .concatenation
    case .sign(let sign): Self.comparisons[sign] != nil ? .comparison : Self.arithmetic[sign]?.level
    case .name("or"): .or
    case .name("and"): .and
    case .name("in"): .comparison
    case .name("not"): following == .name("in") ? .comparison : nil
    default: nil
    }
  }

  /// An operand with the operators of one level behind it.
  private mutating func joined(_ left: Expression, _ level: Level) throws(Diagnostic) -> Expression {
    let line = line
    switch level {
    case .comparison: return try comparison(left)
    case .concatenation:
      var items = [left]
      while take(.tilde) { items.append(try operators(level.tighter)) }
      return try node(.concatenation(items), line: line)
    default: break
    }
    let sign = current
    advance()
    let right = try operators(level.tighter)
    if case .sign(let sign) = sign, let operation = Self.arithmetic[sign]?.operation {
      return try node(.arithmetic(operation, left, right), line: line)
    }
    return try node(level == .or ? .or(left, right) : .and(left, right), line: line)
  }

  private mutating func comparison(_ first: Expression) throws(Diagnostic) -> Expression {
    let line = line
    var others: [(operation: Expression.Comparison, operand: Expression)] = []
    while level == .comparison {
      let operation: Expression.Comparison
      if case .sign(let sign) = current, let found = Self.comparisons[sign] {
        operation = found
      } else if take("not") {
        operation = .notContained
      } else {
        operation = .contained
      }
      advance()
      others.append((operation, try operators(.sum)))
    }
    return try node(.comparison(first, others), line: line)
  }

  private mutating func unary(withFilters: Bool) throws(Diagnostic) -> Expression {
    let line = line
    var value: Expression
    if isAt(.minus) || isAt(.plus) {
      let isNegative = isAt(.minus)
      advance()
      let operand = try nested { (parser) throws(Diagnostic) in try parser.unary(withFilters: false) }
      value = try node(.sign(isNegative: isNegative, operand), line: line)
    } else {
      value = try primary()
    }
    value = try postfixes(value)
    return withFilters ? try filtersAndTests(value) : value
  }

  // MARK: What stands behind a value

  private mutating func postfixes(_ value: Expression) throws(Diagnostic) -> Expression {
    var value = value
    while true {
      if isAt(.dot) || isAt(.openBracket) {
        value = try subscripted(value)
      } else if isAt(.openParenthesis) {
        value = try call(value)
      } else {
        return value
      }
    }
  }

  private mutating func filtersAndTests(_ value: Expression) throws(Diagnostic) -> Expression {
    var value = value
    while true {
      if isAt(.pipe) {
        value = try filters(value)
      } else if isAt("is") {
        value = try test(value)
      } else if isAt(.openParenthesis) {
        value = try call(value)
      } else {
        return value
      }
    }
  }

  private mutating func call(_ value: Expression) throws(Diagnostic) -> Expression {
    let line = line
    return try node(.call(value, try arguments()), line: line)
  }

  /// `| name(arguments)`, as often as it comes.
  mutating func filters(_ value: Expression, startsInline: Bool = false) throws(Diagnostic) -> Expression {
    var value = value
    var startsInline = startsInline
    while startsInline || take(.pipe) {
      startsInline = false
      let line = line
      let name = try dottedWord("the name of a filter")
      if Filter.refused.contains(name) { throw unsupported("the filter '\(name)'", line: line) }
      let filter = Filter.named[name]
      guard filter != nil || isSoft else { throw fault("there is no filter '\(name)'", line: line) }
      let arguments = isAt(.openParenthesis) ? try arguments() : ArgumentList()
      value = try node(.filter(value, NamedFilter(name: name, filter: filter), arguments), line: line)
    }
    return value
  }

  private mutating func dottedWord(_ what: String) throws(Diagnostic) -> String {
    var name = try word(what)
    while take(.dot) { name += "." + (try word(what)) }
    return name
  }

  private mutating func test(_ value: Expression) throws(Diagnostic) -> Expression {
    let line = line
    advance()
    let isNegated = take("not")
    let name = try dottedWord("the name of a test")
    let known = ValueTest.named[name]
    guard known != nil || isSoft else { throw fault("there is no test '\(name)'", line: line) }
    var arguments = ArgumentList()
    if isAt(.openParenthesis) {
      arguments = try self.arguments()
    } else if startsOperand {
      if isAt("is") { throw fault("tests cannot follow one another without parentheses") }
      arguments.positional = [try postfixes(try primary())]
    }
    let test = try node(.test(value, NamedTest(name: name, test: known), arguments), line: line)
    return isNegated ? try node(.not(test), line: line) : test
  }

  /// Whether the operand of a test may begin here without parentheses.
  private var startsOperand: Bool {
    switch current {
    case .name(let word): !["else", "or", "and"].contains(word)
    case .text, .integer, .double, .sign(.openBracket), .sign(.openBrace): true
    default: false
    }
  }

  private mutating func arguments() throws(Diagnostic) -> ArgumentList {
    try nested { (parser) throws(Diagnostic) in
      var list = ArgumentList()
      var isFirst = true
      try parser.expect(.openParenthesis)
      while !parser.isAt(.closeParenthesis) {
        if !isFirst {
          try parser.expect(.comma)
          if parser.isAt(.closeParenthesis) { break }
        }
        isFirst = false
        try parser.argument(&list)
      }
      try parser.expect(.closeParenthesis)
      return list
    }
  }

  private mutating func argument(_ list: inout ArgumentList) throws(Diagnostic) {
    let misplaced = fault("the arguments of a call come in a wrong order")
    if take(.times) {
      guard list.list == nil, list.dictionary == nil else { throw misplaced }
      list.list = try expression()
    } else if take(.power) {
      guard list.dictionary == nil else { throw misplaced }
      list.dictionary = try expression()
    } else if case .name(let name) = current, following == .sign(.assign) {
      guard list.dictionary == nil else { throw misplaced }
      guard !list.named.contains(where: { $0.name == Text(name) }) else {
        throw fault("the argument '\(name)' comes twice")
      }
      advance()
      advance()
      list.named.append((Text(name), try expression()))
    } else {
      guard list.list == nil, list.dictionary == nil, list.named.isEmpty else { throw misplaced }
      list.positional.append(try expression())
    }
  }
}
