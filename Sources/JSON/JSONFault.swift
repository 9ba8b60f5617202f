package import Diagnostics

/// Says what the first fault of a text is, and on which line, once simdjson has refused it.
///
/// simdjson gives a code, and no place for what its first pass refuses, which looks at the whole text before any of its
/// grammar. So that messages are about what a reader of the text meets first, it is read again here, byte by byte. What is
/// refused is decided by simdjson alone.
package struct JSONFault: ~Escapable {
  let bytes: Span<UInt8>
  var position = 0
  private let refusesKeysTwice: Bool
  private let file: String?
  private let firstLine: Int
  /// Number of containers that are open here.
  private var depth: Int

  @_lifetime(copy bytes)
  private init(_ bytes: Span<UInt8>, refusesKeysTwice: Bool, nesting: Int, file: String?, line: Int) {
    self.bytes = bytes
    self.refusesKeysTwice = refusesKeysTwice
    self.file = file
    firstLine = line
    depth = nesting
  }

  /// The first fault of a text; nil where it has none.
  ///
  /// - Parameters:
  ///   - nesting: Containers that the text stands in.
  ///   - line: The line of `file` that the text starts at.
  package static func first(
    in bytes: Span<UInt8>, refusesKeysTwice: Bool, nesting: Int = 0, file: String? = nil, line: Int = 1
  ) -> Diagnostic? {
    var reader = JSONFault(bytes, refusesKeysTwice: refusesKeysTwice, nesting: nesting, file: file, line: line)
    do throws(Diagnostic) {
      do { _ = try UTF8Span(validating: bytes) } catch {
        throw reader.fault("is not UTF-8", at: error.byteOffsets.lowerBound)
      }
      if nesting == 0 && bytes.hasByteOrderMark { reader.position = 3 }
      try reader.passValue()
      reader.passSpace()
      if reader.position < bytes.count { throw reader.unexpected("the end of the text") }
      return nil
    } catch { return error }
  }

  /// What to say of a text that does not begin as an object does; nil where it does.
  static func root(of bytes: Span<UInt8>, file: String?, line: Int) -> Diagnostic? {
    var reader = JSONFault(bytes, refusesKeysTwice: false, nesting: 0, file: file, line: line)
    if bytes.hasByteOrderMark { reader.position = 3 }
    reader.passSpace()
    return reader.peek() == UInt8(ascii: "{") ? nil : reader.unexpected("an object")
  }

  // MARK: Values

  private mutating func passValue() throws(Diagnostic) {
    passSpace()
    switch peek() {
    case UInt8(ascii: "n"): try passWord("null")
    case UInt8(ascii: "t"): try passWord("true")
    case UInt8(ascii: "f"): try passWord("false")
    case UInt8(ascii: "\""): _ = try passString()
    case UInt8(ascii: "["): try passArray()
    case UInt8(ascii: "{"): try passObject()
    case UInt8(ascii: "-"): try passNumber()
    default:
      guard isDigit else { throw unexpected("a value") }
      try passNumber()
    }
  }

  private mutating func passArray() throws(Diagnostic) {
    try enter()
    var isFirst = true
    while try !passEnd(UInt8(ascii: "]"), &isFirst, "a comma or ]") { try passValue() }
  }

  private mutating func passObject() throws(Diagnostic) {
    try enter()
    var keys: Set<[UInt8]> = []
    var isFirst = true
    while try !passEnd(UInt8(ascii: "}"), &isFirst, "a comma or }") {
      guard peek() == UInt8(ascii: "\"") else { throw unexpected("a key in quotation marks") }
      let key = try passString()
      let end = position
      passSpace()
      guard take(UInt8(ascii: ":")) else { throw unexpected("a colon after the key") }
      try passValue()
      guard keys.insert(key).inserted || !refusesKeysTwice else {
        throw fault("the key \"\(String(decoding: key, as: UTF8.self))\" comes twice", at: end)
      }
    }
  }

  private mutating func enter() throws(Diagnostic) {
    guard depth < TextParser.maximumDepth else {
      throw fault("is nested more than \(TextParser.maximumDepth) levels deep", at: position)
    }
    depth += 1
    position += 1
  }

  /// Passes over the bracket that closes a container, true then, or over the comma before its next part.
  private mutating func passEnd(
    _ bracket: UInt8, _ isFirst: inout Bool, _ expected: String
  ) throws(Diagnostic) -> Bool {
    passSpace()
    if take(bracket) {
      depth -= 1
      return true
    }
    if isFirst {
      isFirst = false
      return false
    }
    guard take(UInt8(ascii: ",")) else { throw unexpected(expected) }
    passSpace()
    return false
  }

  private mutating func passWord(_ word: String) throws(Diagnostic) {
    for character in word.utf8 where !take(character) { throw unexpected(word) }
  }

  private mutating func passNumber() throws(Diagnostic) {
    let start = position
    _ = take(UInt8(ascii: "-"))
    if take(UInt8(ascii: "0")) {
      if isDigit { throw fault("a number must not start with 0", at: start) }
    } else {
      try passDigits()
    }
    if take(UInt8(ascii: ".")) { try passDigits() }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
      try passDigits()
    }
    let digits = String(decoding: (start..<position).map { bytes[$0] }, as: UTF8.self)
    guard let number = Double(digits), number.isFinite else {
      throw fault("the number \(digits.prefix(40)) is beyond the range of a double", at: start)
    }
  }

  private mutating func passDigits() throws(Diagnostic) {
    guard isDigit else { throw unexpected("a digit") }
    while isDigit { position += 1 }
  }

  private var isDigit: Bool { peek().map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? false }

  // MARK: Bytes

  func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    position += 1
    return true
  }

  private mutating func passSpace() {
    while let byte = peek(), byte.isJSONSpace { position += 1 }
  }

  // MARK: Messages

  func fault(_ message: String, at offset: Int) -> Diagnostic {
    .input("is not valid JSON: \(message)", file: file, line: firstLine + bytes.lineFeeds(in: 0..<offset))
  }

  func unexpected(_ expected: String) -> Diagnostic {
    if let word = foreignWord {
      var fault = fault("\(word) is no JSON value, though some programs write it", at: position)
      fault.remedy = "write null, or a number or text that JSON has, in its place"
      return fault
    }
    return fault("expected \(expected), found \(Self.name(peek()))", at: position)
  }

  /// A byte as messages name it; nil is the end of the text.
  static func name(_ byte: UInt8?) -> String {
    guard let byte else { return "the end of the text" }
    if byte > 0x20 && byte < 0x7F { return "'\(Character(Unicode.Scalar(byte)))'" }
    return "byte 0x\(String(byte, radix: 16, uppercase: true))"
  }

  /// A word that other languages write where JSON has `null`, `true`, `false` or nothing at all; nil outside of
  /// containers, where there may be no JSON at all.
  private var foreignWord: String? {
    if depth == 0 { return nil }
    return ["NaN", "nan", "Infinity", "None", "True", "False", "undefined"].first { word in
      word.utf8.count <= bytes.count - position && word.utf8.enumerated().allSatisfy { bytes[position + $0] == $1 }
    }
  }
}
