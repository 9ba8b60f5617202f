/// An expression of a template.
final class Expression: Sendable {
  let kind: Kind
  let line: Int
  /// Number of expressions that this one is made of one inside the other: what walks them is that deep.
  let depth: Int

  init(_ kind: Kind, line: Int) {
    self.kind = kind
    self.line = line
    depth = 1 + (kind.parts.map(\.depth).max() ?? 0)
  }

  indirect enum Kind: Sendable {
    case literal(Constant)
    case name(Name)
    case tuple([Expression])
    case list([Expression])
    case dictionary([(key: Expression, value: Expression)])
    /// `value.name`; `isKnown` where some other value than a dictionary may have that attribute.
    case attribute(Expression, Text, isKnown: Bool)
    case subscripted(Expression, Expression)
    /// Only as a subscript.
    case slice(start: Expression?, stop: Expression?, step: Expression?)
    case call(Expression, ArgumentList)
    case filter(Expression, NamedFilter, ArgumentList)
    case test(Expression, NamedTest, ArgumentList)
    /// `value if test else other`.
    case conditional(test: Expression, value: Expression, other: Expression?)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case not(Expression)
    case comparison(Expression, [(operation: Comparison, operand: Expression)])
    case arithmetic(Arithmetic, Expression, Expression)
    case concatenation([Expression])
    case sign(isNegative: Bool, Expression)
    /// The text that a block caught, which its filters begin with.
    case caught
  }

  /// What a literal stands for.
  enum Constant: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case double(Double)
    case text(Text)
  }

  enum Comparison: Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, contained, notContained
  }

  enum Arithmetic: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
  }
}

/// A name where it is read or written; `index` is the number of the place among all such places of the template.
struct Name: Sendable {
  let text: String
  let index: Int
  let line: Int
}

/// A filter where it is named: an unknown one in a branch is refused only where the branch is taken.
struct NamedFilter: Sendable {
  let name: String
  let filter: Filter?
}

/// A test where it is named.
struct NamedTest: Sendable {
  let name: String
  let test: ValueTest?
}

/// What stands in the parentheses of a call.
struct ArgumentList: Sendable {
  var positional: [Expression] = []
  var named: [(name: Text, value: Expression)] = []
  /// `*list`.
  var list: Expression?
  /// `**dictionary`.
  var dictionary: Expression?

  var isEmpty: Bool { positional.isEmpty && named.isEmpty && list == nil && dictionary == nil }

  var parts: [Expression] { positional + named.map(\.value) + [list, dictionary].compactMap { $0 } }
}

extension Expression.Kind {
  /// The expressions directly inside of this one, in the order in which Jinja visits them.
  var parts: [Expression] {
    switch self {
    case .literal, .name, .caught: []
    case .tuple(let items), .list(let items), .concatenation(let items): items
    case .dictionary(let entries): entries.flatMap { [$0.key, $0.value] }
    case .attribute(let base, _, _), .not(let base), .sign(_, let base): [base]
    case .subscripted(let a, let b), .and(let a, let b), .or(let a, let b), .arithmetic(_, let a, let b): [a, b]
    case .slice(let start, let stop, let step): [start, stop, step].compactMap { $0 }
    case .call(let base, let arguments), .filter(let base, _, let arguments), .test(let base, _, let arguments):
      [base] + arguments.parts
    case .conditional(let test, let value, let other): [test, value] + [other].compactMap { $0 }
    case .comparison(let first, let others): [first] + others.map(\.operand)
    }
  }
}
