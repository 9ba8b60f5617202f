import Diagnostics

/// Divides a template into tokens, by the rules of Jinja's lexer with `trim_blocks` and `lstrip_blocks`.
struct Lexer {
  /// The longest template that is read, bytes.
  static let maximumBytes = 16 << 20

  let source: [UInt8]
  var position = 0
  var line = 1
  var tokens: [Token] = []
  /// Whether what was read last ends a line: white space before a block that follows stands at the start of its line.
  var startsLine = true
  /// Closing brackets that are still to come: while there are some, no tag ends.
  var open: [Token.Sign] = []

  /// The tokens of a template, the last of which is its end.
  static func tokens(of source: String) throws(Diagnostic) -> [Token] {
    guard source.utf8.count <= maximumBytes else {
      throw .input("is a template of \(source.utf8.count) bytes, and \(maximumBytes) can be read")
    }
    var lexer = Lexer(source: normalized(Array(source.utf8)))
    while lexer.position < lexer.source.count { try lexer.readText() }
    lexer.append(.end)
    return lexer.tokens
  }

  private init(source: [UInt8]) { self.source = source }

  /// All line ends as line feeds, without one at the very end.
  private static func normalized(_ bytes: [UInt8]) -> [UInt8] {
    var result = withLineFeeds(bytes)
    if result.last == 0x0A { result.removeLast() }
    return result
  }

  static func withLineFeeds(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(0x0D) else { return bytes }
    var result: [UInt8] = []
    for (index, byte) in bytes.enumerated() {
      if byte == 0x0D {
        result.append(0x0A)
      } else if byte != 0x0A || index == 0 || bytes[index - 1] != 0x0D {
        result.append(byte)
      }
    }
    return result
  }

  // MARK: Text and what follows it

  private enum Opening { case block, variable, comment }

  /// Reads text up to the next tag, and the tag.
  private mutating func readText() throws(Diagnostic) {
    let start = position
    var end = start
    var opening: Opening?
    while end + 1 < source.count {
      if source[end] == UInt8(ascii: "{") {
        opening =
          switch source[end + 1] {
          case UInt8(ascii: "%"): .block
          case UInt8(ascii: "{"): .variable
          case UInt8(ascii: "#"): .comment
          default: nil
          }
        if opening != nil { break }
      }
      end += 1
    }
    guard let opening else {
      appendData(start..<source.count)
      position = source.count
      return
    }
    position = end + 2
    let sign = takeSign(["-", "+"])
    let data = stripped(start..<end, sign: sign, keepsIndent: opening == .variable)
    appendData(data)
    line += lineFeeds(data.upperBound..<position)
    startsLine = false
    switch opening {
    case .comment: try readComment()
    case .variable: try readTag(.variableBegin, .variableEnd)
    case .block: if try !readRaw() { try readTag(.blockBegin, .blockEnd) }
    }
  }

  /// What is left of a text before a tag: nothing of the white space before a minus sign, nothing of the indent of a
  /// block that stands first on its line.
  private func stripped(_ range: Range<Int>, sign: UInt8?, keepsIndent: Bool) -> Range<Int> {
    if sign == UInt8(ascii: "-") { return range.lowerBound..<endBeforeSpace(range) }
    if sign == UInt8(ascii: "+") || keepsIndent { return range }
    let lineStart = source[range].lastIndex(of: 0x0A).map { $0 + 1 } ?? range.lowerBound
    guard lineStart > range.lowerBound || startsLine else { return range }
    return endBeforeSpace(lineStart..<range.upperBound) == lineStart ? range.lowerBound..<lineStart : range
  }

  private func endBeforeSpace(_ range: Range<Int>) -> Int {
    var end = range.upperBound
    while end > range.lowerBound {
      var last = end - 1
      while last > range.lowerBound, source[last] & 0xC0 == 0x80 { last -= 1 }
      guard Text.scalar(source, at: last).isPythonSpace else { break }
      end = last
    }
    return end
  }

  private mutating func readComment() throws(Diagnostic) {
    let start = position
    while position < source.count {
      if startsWith("#}") || ((startsWith("-#}") || startsWith("+#}"))) {
        passEnd("#}", trimsLine: true)
        line += lineFeeds(start..<position)
        return
      }
      position += 1
    }
    throw fault("a comment is not closed: '#}' is missing")
  }

  /// Reads `{% raw %}` up to its end, where the block at hand is one.
  private mutating func readRaw() throws(Diagnostic) -> Bool {
    let mark = (position, line)
    skipSpace()
    guard takeWord("raw") else {
      (position, line) = mark
      return false
    }
    skipSpace()
    guard startsWith("%}") || startsWith("-%}") else {
      (position, line) = mark
      return false
    }
    let start = position
    passEnd("%}", trimsLine: false)
    line += lineFeeds(start..<position)
    try readRawText()
    return true
  }

  private mutating func readRawText() throws(Diagnostic) {
    let start = position
    while position < source.count {
      let end = position
      if startsWith("{%") {
        position += 2
        let sign = takeSign(["-", "+"])
        let before = line
        skipSpace()
        if takeWord("endraw") {
          skipSpace()
          if startsWith("%}") || startsWith("-%}") || startsWith("+%}") {
            line = before
            let data = stripped(start..<end, sign: sign, keepsIndent: false)
            appendData(data)
            passEnd("%}", trimsLine: true)
            line += lineFeeds(data.upperBound..<position)
            return
          }
        }
        line = before
      }
      position = end + 1
    }
    throw fault("raw text is not closed: '{% endraw %}' is missing")
  }

  // MARK: Parts

  /// Passes the end of a tag, with the white space that it takes away.
  mutating func passEnd(_ mark: String, trimsLine: Bool) {
    let sign = takeSign(["-", "+"])
    position += mark.utf8.count
    if sign == UInt8(ascii: "-") {
      while position < source.count, case let length = spaceLength(position), length > 0 { position += length }
    } else if sign == nil, trimsLine, position < source.count, source[position] == 0x0A {
      position += 1
    }
    startsLine = source[position - 1] == 0x0A
  }

  mutating func append(_ kind: Token.Kind, line: Int? = nil) {
    tokens.append(Token(kind: kind, line: line ?? self.line))
  }

  private mutating func appendData(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    append(.data(Text(source[range])))
    line += lineFeeds(range)
  }

  func lineFeeds(_ range: Range<Int>) -> Int { source[range].reduce(0) { $1 == 0x0A ? $0 + 1 : $0 } }

  func startsWith(_ text: String) -> Bool { source[position...].starts(with: text.utf8) }

  private mutating func takeSign(_ signs: [Unicode.Scalar]) -> UInt8? {
    guard position < source.count, signs.contains(Unicode.Scalar(source[position])) else { return nil }
    position += 1
    return source[position - 1]
  }

  private mutating func takeWord(_ word: String) -> Bool {
    guard startsWith(word) else { return false }
    position += word.utf8.count
    return true
  }

  /// Bytes of the white space that begins at an offset, one code point; 0 where there is none.
  func spaceLength(_ offset: Int) -> Int {
    let scalar = Text.scalar(source, at: offset)
    return scalar.isPythonSpace ? Text.length(source[offset]) : 0
  }

  mutating func skipSpace() {
    while position < source.count, case let length = spaceLength(position), length > 0 {
      if source[position] == 0x0A { line += 1 }
      position += length
    }
  }

  func fault(_ message: String) -> Diagnostic { .input("the chat template is not valid: \(message)", line: line) }
}
