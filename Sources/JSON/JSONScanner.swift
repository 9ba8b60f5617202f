public import Diagnostics

/// Pulls the parts of one JSON text (RFC 8259, strictly) straight from its bytes, without building a tree.
///
/// For files of many megabytes whose shape the caller knows. The caller says what it expects next and gets it or a
/// `Diagnostic` with the line; nesting and commas are looked after here.
///
/// ```swift
/// var scanner = try JSONScanner(bytes.span, file: path)
/// try scanner.beginObject()
/// var key: [UInt8] = []
/// while try scanner.nextKey(&key) {
///   if key == Array("vocab".utf8) { ... } else { try scanner.skipValue() }
/// }
/// try scanner.finish()
/// ```
///
/// Beyond the grammar it refuses text that is not UTF-8, lone surrogates, numbers beyond the range of a double and
/// nesting deeper than ``maximumDepth``. A byte-order mark at the very start is passed over, as the RFC allows.
public struct JSONScanner: ~Escapable {
  /// What kind of value comes next.
  public enum Kind: Sendable { case null, bool, number, string, array, object }

  /// Deepest nesting accepted.
  public static var maximumDepth: Int { 512 }

  let bytes: Span<UInt8>
  /// Offset of the next byte.
  package internal(set) var position = 0
  private let file: String?
  private let firstLine: Int
  /// The open containers, outermost first.
  private var open: [Container] = []

  private struct Container {
    var isObject: Bool
    var isEmpty = true
  }

  /// A scanner at the start of a text.
  ///
  /// - Parameters:
  ///   - file: Name for messages.
  ///   - line: The line of `file` that the text starts at, for one line of a JSONL file.
  /// - Throws: a `Diagnostic` when the bytes are not UTF-8.
  @_lifetime(copy bytes)
  public init(_ bytes: Span<UInt8>, file: String? = nil, line: Int = 1) throws {
    self.bytes = bytes
    self.file = file
    firstLine = line
    if let invalid = UTF8Validation.firstInvalidOffset(bytes) { throw error("is not UTF-8", at: invalid) }
    if bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF { position = 3 }
  }

  // MARK: Containers

  /// Enters an object.
  public mutating func beginObject() throws { try begin(UInt8(ascii: "{"), "an object") }

  /// Enters an array.
  public mutating func beginArray() throws { try begin(UInt8(ascii: "["), "an array") }

  /// Moves to the next member of the innermost object and puts its key's bytes into `key`; at the end leaves the object
  /// and returns false.
  public mutating func nextKey(_ key: inout [UInt8]) throws -> Bool {
    key.removeAll(keepingCapacity: true)
    return try nextKey(appendingTo: &key)
  }

  /// As ``nextKey(_:)``, with the key's bytes appended to what `bytes` holds.
  public mutating func nextKey(appendingTo bytes: inout [UInt8]) throws -> Bool {
    guard try advance(inObject: true) else { return false }
    guard peekByte() == UInt8(ascii: "\"") else { throw unexpected("a key in quotation marks") }
    try readString(appendingTo: &bytes)
    skipSpace()
    guard peekByte() == UInt8(ascii: ":") else { throw unexpected("a colon after the key") }
    position += 1
    return true
  }

  /// Moves to the next element of the innermost array; at the end leaves the array and returns false.
  public mutating func nextElement() throws -> Bool { try advance(inObject: false) }

  /// Makes sure that nothing but white space follows the one value.
  public mutating func finish() throws {
    precondition(open.isEmpty, "finish() inside \(open.count) open containers")
    skipSpace()
    if position < bytes.count { throw unexpected("the end of the text") }
  }

  private mutating func begin(_ bracket: UInt8, _ expected: String) throws {
    skipSpace()
    guard peekByte() == bracket else { throw unexpected(expected) }
    guard open.count < Self.maximumDepth else {
      throw error("is nested more than \(Self.maximumDepth) levels deep", at: position)
    }
    position += 1
    open.append(Container(isObject: bracket == UInt8(ascii: "{")))
  }

  private mutating func advance(inObject: Bool) throws -> Bool {
    precondition(open.last?.isObject == inObject, "the innermost container is of the other kind")
    skipSpace()
    let next = peekByte()
    if next == UInt8(ascii: inObject ? "}" : "]") {
      open.removeLast()
      position += 1
      return false
    }
    if open[open.count - 1].isEmpty {
      open[open.count - 1].isEmpty = false
      return true
    }
    guard next == UInt8(ascii: ",") else { throw unexpected(inObject ? "a comma or }" : "a comma or ]") }
    position += 1
    skipSpace()
    return true
  }

  // MARK: Scalars

  /// The kind of the value that comes next.
  public mutating func peekKind() throws -> Kind {
    skipSpace()
    switch peekByte() {
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "-"): return .number
    case let digit? where digit >= UInt8(ascii: "0") && digit <= UInt8(ascii: "9"): return .number
    default: throw unexpected("a value")
    }
  }

  /// Reads an integer that fits 64 bits.
  public mutating func readInteger() throws -> Int {
    let kind = try peekKind()
    let start = position
    guard case .number = kind, case .integer(let number) = try readNumber() else {
      throw diagnostic("expected an integer", at: start)
    }
    return Int(number)
  }

  /// Reads a string.
  public mutating func readString() throws -> String {
    var text: [UInt8] = []
    try readString(appendingTo: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads any value whole.
  public mutating func readValue() throws -> JSONValue {
    switch try peekKind() {
    case .null:
      try readWord("null")
      return .null
    case .bool: return .bool(try readBool())
    case .number: return try readNumber()
    case .string: return .string(try readString())
    case .array:
      try beginArray()
      var elements: [JSONValue] = []
      while try nextElement() { elements.append(try readValue()) }
      return .array(elements)
    case .object: return .object(try readObject())
    }
  }

  /// Passes over any value, checking it all the same (save for keys that come twice).
  public mutating func skipValue() throws {
    var scratch: [UInt8] = []
    switch try peekKind() {
    case .array:
      try beginArray()
      while try nextElement() { try skipValue() }
    case .object:
      try beginObject()
      while try nextKey(&scratch) { try skipValue() }
    case .string: try readString(appendingTo: &scratch)
    case .number, .null, .bool: _ = try readValue()
    }
  }

  private mutating func readObject() throws -> JSONObject {
    try beginObject()
    var object = JSONObject()
    var bytes: [UInt8] = []
    while try nextKey(&bytes) {
      let end = position
      let key = String(decoding: bytes, as: UTF8.self)
      guard object.insert(key, try readValue()) else { throw error("the key \"\(key)\" comes twice", at: end) }
    }
    return object
  }

  private mutating func readBool() throws -> Bool {
    let truth = peekByte() == UInt8(ascii: "t")
    try readWord(truth ? "true" : "false")
    return truth
  }

  private mutating func readWord(_ word: StaticString) throws {
    for character in "\(word)".utf8 {
      guard peekByte() == character else { throw unexpected("\(word)") }
      position += 1
    }
  }

  // MARK: Bytes

  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  func peekByte() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  /// A diagnostic of category `input` at the current place, for a caller that finds fault with what it read.
  public func diagnostic(_ message: String) -> Diagnostic { diagnostic(message, at: position) }

  private func diagnostic(_ message: String, at offset: Int) -> Diagnostic {
    var line = firstLine
    for index in 0..<min(offset, bytes.count) where bytes[index] == 0x0A { line += 1 }
    return .input(message, file: file, line: line)
  }

  func error(_ message: String, at offset: Int) -> Diagnostic {
    diagnostic("is not valid JSON: \(message)", at: offset)
  }

  /// A word that other languages write where JSON has `null`, `true`, `false` or nothing at all; nil outside of
  /// containers, where there may be no JSON at all.
  private var foreignWord: String? {
    if open.isEmpty { return nil }
    return ["NaN", "nan", "Infinity", "None", "True", "False", "undefined"].first { word in
      word.utf8.count <= bytes.count - position && word.utf8.enumerated().allSatisfy { bytes[position + $0] == $1 }
    }
  }

  func unexpected(_ expected: String) -> Diagnostic {
    if let word = foreignWord {
      var fault = error("\(word) is no JSON value, though some programs write it", at: position)
      fault.remedy = "write null, or a number or text that JSON has, in its place"
      return fault
    }
    let found: String
    switch peekByte() {
    case nil: found = "the end of the text"
    case let byte? where byte > 0x20 && byte < 0x7F: found = "'\(Character(Unicode.Scalar(byte)))'"
    case let byte?: found = "byte 0x\(String(byte, radix: 16, uppercase: true))"
    }
    return error("expected \(expected), found \(found)", at: position)
  }
}
