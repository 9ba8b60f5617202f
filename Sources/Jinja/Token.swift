/// A piece of a template's source.
struct Token: Sendable {
  enum Kind: Sendable, Equatable {
    /// Text outside of tags.
    case data(Text)
    /// `{{` and `}}`.
    case variableBegin, variableEnd
    /// `{%` and `%}`.
    case blockBegin, blockEnd
    case name(String)
    case text(Text)
    case integer(Int)
    case double(Double)
    case sign(Sign)
    /// The end of the source.
    case end
  }

  /// Operators and punctuation.
  enum Sign: String, Sendable, CaseIterable {
    case equal = "=="
    case notEqual = "!="
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case floorDivide = "//"
    case power = "**"
    case less = "<"
    case greater = ">"
    case plus = "+"
    case minus = "-"
    case times = "*"
    case divide = "/"
    case modulo = "%"
    case tilde = "~"
    case openBracket = "["
    case closeBracket = "]"
    case openParenthesis = "("
    case closeParenthesis = ")"
    case openBrace = "{"
    case closeBrace = "}"
    case assign = "="
    case dot = "."
    case colon = ":"
    case pipe = "|"
    case comma = ","
    case semicolon = ";"
  }

  var kind: Kind
  var line: Int

  /// The token as messages name it.
  var name: String {
    switch kind {
    case .data: "text"
    case .variableBegin: "'{{'"
    case .variableEnd: "'}}'"
    case .blockBegin: "'{%'"
    case .blockEnd: "'%}'"
    case .name(let name): "'\(name)'"
    case .text: "a string"
    case .integer, .double: "a number"
    case .sign(let sign): "'\(sign.rawValue)'"
    case .end: "the end of the template"
    }
  }
}
