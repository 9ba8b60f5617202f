/// A template with every name resolved to a place.
struct Program: Sendable {
  var body: [Statement]
  /// Where the value of each name is, by ``Name/index``; nil where Jinja gives it none.
  var references: [Reference?]
  /// By the numbers of the scopes; the first is the template's own.
  var scopes: [ScopeLayout]
  /// Names that the template takes from its variables, or that Jinja itself has.
  var externals: [String]

  /// A variable: how many scopes out, and where in that scope.
  struct Reference: Sendable {
    var depth: Int
    var slot: Int
  }

  /// What a scope holds.
  struct ScopeLayout: Sendable {
    var slotCount = 0
    /// How places are filled when the scope is entered; those not listed are not.
    var entries: [(slot: Int, source: Source)] = []
  }

  enum Source: Sendable {
    /// Nothing, until something is assigned.
    case missing
    /// The variable of this number among the externals.
    case external(Int)
    /// What a scope further out has under the same name.
    case outer(Reference)
  }
}
