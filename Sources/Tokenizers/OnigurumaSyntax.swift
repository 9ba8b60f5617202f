import Diagnostics

/// Rewrites what Oniguruma and PCRE2 read differently.
///
/// Tokenizer files carry Oniguruma patterns. Nearly all of it means the same to PCRE2; `\s` and `\w` differ in a few
/// characters, and class operators would silently mean something else, so these are refused.
enum OnigurumaSyntax {
  private static let space = "\\p{White_Space}"
  private static let notSpace = "\\P{White_Space}"
  private static let word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"

  static func translate(_ pattern: String) throws -> String {
    var result = ""
    var isInClass = false
    var scalars = Array(pattern.unicodeScalars)[...]
    func refuse(_ what: String) -> any Error {
      Diagnostic.input("the pattern \(pattern) uses \(what), which is not supported")
    }
    while let scalar = scalars.popFirst() {
      switch scalar {
      case "\\":
        guard let escaped = scalars.popFirst() else { throw refuse("a lone backslash at its end") }
        switch escaped {
        case "s": result += space
        case "S": result += notSpace
        case "w": result += isInClass ? word : "[\(word)]"
        case "W" where !isInClass: result += "[^\(word)]"
        case "W": throw refuse("\\W inside a character class")
        case "h", "H", "R", "X", "K", "G": throw refuse("\\\(escaped)")
        default: result += "\\\(escaped)"
        }
      case "[" where isInClass && scalars.first == ":":
        // A POSIX class such as [:alpha:] goes through to its closing bracket.
        result += "[:"
        scalars.removeFirst()
        while let inner = scalars.popFirst() {
          result.unicodeScalars.append(inner)
          if inner == "]" { break }
        }
      case "[" where isInClass: throw refuse("a character class inside another")
      case "&" where isInClass && scalars.first == "&": throw refuse("an intersection of character classes")
      case "[":
        isInClass = true
        result += "["
        // A bracket right after the opening one, or after its negation, is a member.
        if scalars.first == "^" { result.unicodeScalars.append(scalars.removeFirst()) }
        if scalars.first == "]" {
          scalars.removeFirst()
          result += "\\]"
        }
      case "]":
        isInClass = false
        result += "]"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
