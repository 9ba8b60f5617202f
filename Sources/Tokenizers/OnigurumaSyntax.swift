import CPCRE2
import Diagnostics

/// Rewrites what Oniguruma and PCRE2 read differently.
///
/// Tokenizer files carry Oniguruma patterns, in Ruby's syntax. Nearly all of it means the same to PCRE2. What differs
/// in a few characters or in its spelling is translated; what only one of the two knows is refused by name, lest it
/// silently mean something else: class operators, calls of groups (which may recurse without end), verbs.
struct OnigurumaSyntax {
  private static let space = "\\p{White_Space}"
  private static let notSpace = "\\P{White_Space}"
  private static let word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
  /// Outside a class, where Oniguruma goes by a table for Latin-1, superscripts and fractions are of words too.
  private static let wordAlone = word + "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
  /// What Oniguruma takes each POSIX class for, where PCRE2's own differs.
  private static let classes = [
    "alpha": "\\p{Alphabetic}", "^alpha": "\\P{Alphabetic}", "digit": "\\p{Nd}", "^digit": "\\P{Nd}",
    "alnum": "\\p{Alphabetic}\\p{Nd}", "space": space, "^space": notSpace, "word": word,
    "upper": "\\p{Uppercase}", "^upper": "\\P{Uppercase}", "lower": "\\p{Lowercase}", "^lower": "\\P{Lowercase}",
    "punct": "\\p{P}\\p{S}",
  ]

  private let pattern: String
  private var rest: ArraySlice<Unicode.Scalar>
  private var result = ""
  /// Where in the result, in bytes, the last part that a quantifier could repeat begins.
  private var atom = 0
  /// For every open group, and the pattern itself: where it begins, and how many groups were opened within it that it
  /// must close.
  private var open: [(start: Int, pending: Int)] = [(0, 0)]

  static func translate(_ pattern: String) throws -> String {
    var syntax = OnigurumaSyntax(pattern)
    try syntax.translate()
    return syntax.result
  }

  private init(_ pattern: String) {
    self.pattern = pattern
    rest = Array(pattern.unicodeScalars)[...]
  }

  private func refuse(_ what: String) -> any Error {
    Diagnostic.input(
      "the pattern \(pattern) uses \(what), which is not supported", remedy: "write the pattern without it")
  }

  private mutating func translate() throws {
    while let scalar = rest.popFirst() {
      let start = result.utf8.count
      switch scalar {
      case "\\": try translateEscape(inClass: false)
      case "[": try translateClass()
      case "(": try translateGroup()
      case ")":
        let group = open.count > 1 ? open.removeLast() : (start: start, pending: 0)
        result += String(repeating: ")", count: group.pending) + ")"
        atom = group.start
      case "{": translateInterval()
      default: result.unicodeScalars.append(scalar)
      }
      if !["(", ")", "{", "*", "+", "?"].contains(scalar) { atom = start }
    }
    result += String(repeating: ")", count: open[0].pending)
  }

  // MARK: Escapes

  private mutating func translateEscape(inClass: Bool) throws {
    guard let escaped = rest.popFirst() else { throw refuse("a lone backslash at its end") }
    switch escaped {
    case "s": result += Self.space
    case "S": result += Self.notSpace
    case "w": result += inClass ? Self.word : "[\(Self.wordAlone)]"
    case "W" where !inClass: result += "[^\(Self.wordAlone)]"
    case "W": throw refuse("\\W inside a character class")
    case "b" where !inClass: result += Self.border(isBorder: true)
    case "B" where !inClass: result += Self.border(isBorder: false)
    case "u": try translateUnicodeEscape()
    case "p" where rest.first == "{", "P" where rest.first == "{": translateProperty(escaped)
    case "g": throw refuse("a call of a group, \\g")
    case "h", "H", "R", "X", "K", "G", "N", "O", "Q", "E", "C", "v", "y", "Y": throw refuse("\\\(escaped)")
    default: result += "\\\(escaped)"
    }
  }

  /// Between a word character and another or the end, or not so; PCRE2's own knows fewer word characters.
  private static func border(isBorder: Bool) -> String {
    let (same, other) = isBorder ? ("!", "=") : ("=", "!")
    let word = wordAlone
    return "(?:(?<=[\(word)])(?\(same)[\(word)])|(?<![\(word)])(?\(other)[\(word)]))"
  }

  private mutating func translateUnicodeEscape() throws {
    let digits = rest.prefix(4)
    guard digits.count == 4, digits.allSatisfy(\.properties.isASCIIHexDigit) else {
      throw refuse("\\u without four hexadecimal digits")
    }
    rest = rest.dropFirst(4)
    result += "\\x{\(String(String.UnicodeScalarView(digits)))}"
  }

  /// A property; of a script those characters whose script it is, where PCRE2 by itself takes those too that are used
  /// in it.
  private mutating func translateProperty(_ letter: Unicode.Scalar) {
    let inner = rest.dropFirst().prefix { $0 != "}" }
    rest = rest.dropFirst(inner.count + 2)
    let isNegated = inner.first == "^"
    let name = String(String.UnicodeScalarView(isNegated ? inner.dropFirst() : inner))
    result += "\\\(letter){\(isNegated ? "^" : "")\(Self.isScript(name) ? "sc:" : "")\(name)}"
  }

  private static func isScript(_ name: String) -> Bool {
    let pattern = Array("\\p{sc:\(name)}".utf8)
    var (number, offset) = (Int32(0), 0)
    let code = unsafe pcre2_compile_8(pattern, pattern.count, PCRE2_UTF, &number, &offset, nil)
    defer { unsafe pcre2_code_free_8(code) }
    return unsafe code != nil
  }

  // MARK: Character classes

  private mutating func translateClass() throws {
    result += "["
    // A bracket right after the opening one, or after its negation, is a member.
    if rest.first == "^" { result.unicodeScalars.append(rest.removeFirst()) }
    if rest.first == "]" {
      rest.removeFirst()
      result += "\\]"
    }
    while let scalar = rest.popFirst() {
      switch scalar {
      case "]":
        result += "]"
        return
      case "\\": try translateEscape(inClass: true)
      case "[" where rest.first == ":": translateNamedClass()
      case "[": throw refuse("a character class inside another")
      case "&" where rest.first == "&": throw refuse("an intersection of character classes")
      default: result.unicodeScalars.append(scalar)
      }
    }
  }

  /// A POSIX class such as `[:alpha:]`, up to its closing bracket.
  private mutating func translateNamedClass() {
    let inner = rest.prefix { $0 != "]" }
    rest = rest.dropFirst(inner.count + 1)
    let name = String(String.UnicodeScalarView(inner.dropFirst().dropLast()))
    result += Self.classes[name] ?? "[\(String(String.UnicodeScalarView(inner)))]"
  }

  // MARK: Groups

  private mutating func translateGroup() throws {
    if rest.first == "*" { throw refuse("a verb, (*...)") }
    guard rest.first == "?" else {
      open.append((result.utf8.count, 0))
      result += "("
      return
    }
    rest.removeFirst()
    switch rest.first {
    case "#":
      rest = rest.drop { $0 != ")" }.dropFirst()
    case ":", "=", "!", ">", "<", "'":
      let isName = rest.first == "'" || rest.first == "<" && !["=", "!"].contains(rest.dropFirst().first)
      if isName, let first = rest.dropFirst().first, !first.properties.isAlphabetic, first != "_" {
        throw refuse("a group named otherwise than by a word")
      }
      open.append((result.utf8.count, 0))
      result += "(?"
    default: try translateOptions()
    }
  }

  /// `(?i:...)`, or `(?i)`, which reaches to the end of the group it stands in, alternatives included.
  private mutating func translateOptions() throws {
    let options = rest.prefix { ["i", "m", "x", "-"].contains($0) }
    let end = rest.dropFirst(options.count).first
    guard !options.isEmpty, end == ":" || end == ")" else {
      let shown = String(String.UnicodeScalarView(rest.prefix(1)))
      let calls = shown.first.map { "R&P+-0123456789".contains($0) } ?? false
      throw refuse(calls ? "a call of a group, (?\(shown)...)" : "a group (?\(shown)...)")
    }
    rest = rest.dropFirst(options.count + 1)
    // What Ruby calls m, that a dot matches a newline, PCRE2 calls s.
    let translated = String(String.UnicodeScalarView(options.map { $0 == "m" ? "s" : $0 }))
    if end == ":" { open.append((result.utf8.count, 0)) } else { open[open.count - 1].pending += 1 }
    result += "(?\(translated):"
  }

  // MARK: Intervals

  /// `{2,3}`; `{,3}`, which PCRE2 takes for text; `{2,3}+`, whose plus repeats; `{2}?`, whose question mark makes
  /// optional.
  private mutating func translateInterval() {
    let inner = rest.prefix { $0 != "}" }
    let bounds = inner.split(separator: ",", omittingEmptySubsequences: false)
    let isInterval =
      inner.count < rest.count && (1...2).contains(bounds.count) && bounds.contains { !$0.isEmpty }
      && bounds.allSatisfy { $0.allSatisfy { $0.isASCII && $0.properties.numericType == .decimal } }
    guard isInterval else {
      result += "{"
      return
    }
    let text = bounds.map { String(String.UnicodeScalarView($0)) }
    rest = rest.dropFirst(inner.count + 1)
    result += "{\(text[0].isEmpty ? "0" : text[0])\(text.count > 1 ? ",\(text[1])" : "")}"
    if rest.first == "+" || rest.first == "?" && text.count == 1 {
      result.insert(contentsOf: "(?:", at: result.utf8.index(result.startIndex, offsetBy: atom))
      result += ")"
      result.unicodeScalars.append(rest.removeFirst())
    }
  }
}
