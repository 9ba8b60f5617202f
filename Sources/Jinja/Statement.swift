/// A statement of a template, or text between statements.
enum Statement: Sendable {
  case text(Text)
  case output(Expression)
  case assignment(Target, Expression, line: Int)
  /// `{% set name %}...{% endset %}`, the caught text perhaps filtered.
  case capture(Target, filter: Expression?, Block)
  case conditional([(test: Expression, body: [Statement])], other: [Statement])
  case loop(Loop)
  case macro(Name, Macro)
  /// `{% call %}`: the body is given to the call as `caller`.
  case call(Expression, Macro)
  case filtered(Expression, Block)
  case with([(target: Target, value: Expression)], Block)
  /// `{% generation %}`, which has the scope of a macro.
  case generation(Macro)
  case leave(line: Int)
  case proceed(line: Int)
}

/// Where an assignment goes.
indirect enum Target: Sendable {
  case name(Name)
  /// An attribute of a namespace.
  case attribute(Name, Text)
  case tuple([Target])

  /// All names that are written to, in order.
  var names: [Name] {
    switch self {
    case .name(let name): [name]
    case .attribute: []
    case .tuple(let targets): targets.flatMap(\.names)
    }
  }
}

/// Statements with a scope of their own, which `scope` numbers.
struct Block: Sendable {
  var body: [Statement]
  let scope: Int
}

struct Loop: Sendable {
  let target: Target
  let elements: Expression
  /// `for ... if test`.
  let test: Expression?
  let body: [Statement]
  let other: [Statement]
  let line: Int
  /// The scopes of the body, of the test and of `else`.
  let bodyScope: Int
  let testScope: Int
  let otherScope: Int
  /// A second set of places for the targets, which the test writes to.
  let testTarget: Target
  /// The place of the variable `loop`.
  let variable: Name
}

struct Macro: Sendable {
  struct Parameter: Sendable {
    let name: Name
    let fallback: Expression?
  }

  let name: String?
  let parameters: [Parameter]
  let body: [Statement]
  let scope: Int
  let line: Int
  /// The places of what a macro may read though it is no parameter.
  let caller: Name
  let varargs: Name
  let kwargs: Name
}
