import Diagnostics

extension Lexer {
  /// Reads what stands in a tag, and its end.
  mutating func readTag(_ begin: Token.Kind, _ end: Token.Kind) throws(Diagnostic) {
    append(begin)
    open = []
    let mark = end == .blockEnd ? "%}" : "}}"
    while true {
      skipSpace()
      guard position < source.count else { return }
      let isEnd = startsWith(mark) || startsWith("-" + mark) || (end == .blockEnd && startsWith("+" + mark))
      if isEnd, open.isEmpty {
        append(end)
        let start = position
        passEnd(mark, trimsLine: end == .blockEnd)
        line += lineFeeds(start..<position)
        return
      }
      try readToken()
    }
  }

  private mutating func readToken() throws(Diagnostic) {
    let byte = source[position]
    if isDigit(position) {
      try readNumber()
    } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
      try readString(quote: byte)
    } else if isWord(position) {
      try readName()
    } else {
      try readSign()
    }
  }

  private func isDigit(_ offset: Int) -> Bool {
    offset < source.count && UInt8(ascii: "0")...UInt8(ascii: "9") ~= source[offset]
  }

  private func isWord(_ offset: Int) -> Bool {
    guard offset < source.count else { return false }
    let scalar = Text.scalar(source, at: offset)
    return scalar == "_" || scalar.isPythonAlphanumeric
  }

  private mutating func readName() throws(Diagnostic) {
    let start = position
    while isWord(position) { position += Text.length(source[position]) }
    let name = String(decoding: source[start..<position], as: UTF8.self)
    guard let first = name.unicodeScalars.first, first == "_" || first.isPythonAlphabetic else {
      throw fault("'\(name)' cannot be a name")
    }
    append(.name(name))
  }

  private mutating func readSign() throws(Diagnostic) {
    guard let sign = Token.Sign.allCases.first(where: { startsWith($0.rawValue) }) else {
      throw fault("the character \(JinjaQuote.quoted(Text.scalar(source, at: position))) has no meaning in a tag")
    }
    switch sign {
    case .openBrace: open.append(.closeBrace)
    case .openBracket: open.append(.closeBracket)
    case .openParenthesis: open.append(.closeParenthesis)
    case .closeBrace, .closeBracket, .closeParenthesis:
      guard let expected = open.popLast() else { throw fault("'\(sign.rawValue)' closes nothing") }
      guard expected == sign else {
        throw fault("expected '\(expected.rawValue)', found '\(sign.rawValue)'")
      }
    default: break
    }
    append(.sign(sign))
    position += sign.rawValue.utf8.count
  }

  // MARK: Numbers

  private mutating func readNumber() throws(Diagnostic) {
    let start = position
    if try readPrefixed() { return }
    passDigits()
    let whole = position
    var isFraction = false
    // A digit behind a point belongs to a path, such as `a.0`.
    let isFree = start == 0 || source[start - 1] != UInt8(ascii: ".")
    if isFree {
      if position + 1 < source.count, source[position] == UInt8(ascii: "."), isDigit(position + 1) {
        position += 1
        passDigits()
        isFraction = true
      }
      let mark = position
      if position < source.count, source[position] | 0x20 == UInt8(ascii: "e") {
        position += 1
        if position < source.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(source[position]) { position += 1 }
        if isDigit(position) {
          passDigits()
          isFraction = true
        } else {
          position = mark
        }
      }
    }
    if isFraction { return append(.double(Double(digits(start..<position)) ?? .infinity)) }
    position = whole
    // A zero in front begins no other number.
    if source[start] == UInt8(ascii: "0") {
      position = start
      while position < whole, source[position] == UInt8(ascii: "0") || source[position] == UInt8(ascii: "_") {
        position += 1
      }
    }
    guard let value = Int(digits(start..<position)) else { throw fault("an integer is beyond 64 bits") }
    append(.integer(value))
  }

  private mutating func readPrefixed() throws(Diagnostic) -> Bool {
    let bases: [(UInt8, Int)] = [(UInt8(ascii: "b"), 2), (UInt8(ascii: "o"), 8), (UInt8(ascii: "x"), 16)]
    guard position + 2 < source.count, source[position] == UInt8(ascii: "0"),
      let base = bases.first(where: { $0.0 == source[position + 1] | 0x20 })?.1
    else { return false }
    let start = position + 2
    var end = start
    while end < source.count {
      let isDivider = source[end] == UInt8(ascii: "_")
      guard let digit = Character(Unicode.Scalar(source[end])).hexDigitValue ?? (isDivider ? 0 : nil), digit < base
      else { break }
      end += 1
    }
    guard end > start else { return false }
    guard let value = Int(digits(start..<end), radix: base) else { throw fault("an integer is beyond 64 bits") }
    position = end
    append(.integer(value))
    return true
  }

  /// Passes digits, and underscores between two of them.
  private mutating func passDigits() {
    while isDigit(position)
      || (position < source.count && source[position] == UInt8(ascii: "_") && isDigit(position + 1))
    { position += 1 }
  }

  private func digits(_ range: Range<Int>) -> String {
    String(decoding: source[range].filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
  }

  // MARK: Strings

  private mutating func readString(quote: UInt8) throws(Diagnostic) {
    let start = position + 1
    var end = start
    while end < source.count, source[end] != quote { end += source[end] == UInt8(ascii: "\\") ? 2 : 1 }
    guard end < source.count else { throw fault("a string is not closed") }
    let first = line
    do throws(StringEscapes.Fault) {
      append(.text(Text(try StringEscapes.resolved(Array(source[start..<end])))), line: first)
    } catch {
      throw fault(error.message)
    }
    line += lineFeeds(start..<end)
    position = end + 1
  }
}
