import CSimdJSON
public import Diagnostics

/// Pulls the parts of one JSON text (RFC 8259, strictly), without building a tree.
///
/// For files of many megabytes whose shape the caller knows. The whole text is checked at the beginning, save for keys
/// that come twice; then the caller says what it expects next and gets it or a `Diagnostic` with the line.
///
/// ```swift
/// var scanner = try JSONScanner(bytes.span, file: path)
/// try scanner.beginObject()
/// var key: [UInt8] = []
/// while scanner.nextKey(&key) {
///   if key == Array("vocab".utf8) { ... } else { scanner.skipValue() }
/// }
/// scanner.finish()
/// ```
///
/// What is refused is what ``JSONValue/parse(_:file:line:)-(Span<UInt8>,_,_)`` refuses. A byte-order mark at the very
/// start is passed over.
public struct JSONScanner: ~Copyable, ~Escapable {
  /// What kind of value comes next.
  public enum Kind: Sendable { case null, bool, number, string, array, object }

  /// Deepest nesting accepted.
  public static var maximumDepth: Int { TextParser.maximumDepth }

  private let bytes: Span<UInt8>
  /// Offset behind what was read last, or of the value whose kind was asked for.
  package private(set) var position = 0
  private let file: String?
  private let firstLine: Int
  /// Keeps what `text` points to.
  private let memory: Memory
  let text: ParsedText
  /// The record that comes next.
  var index = 0
  /// The open containers, outermost first.
  private var open: [Container] = []

  fileprivate struct Container {
    var isObject: Bool
    /// The record behind the container.
    var next: Int
    /// Offset behind the container.
    var end: Int
  }

  /// Memory that one scanner after another takes, so that it is not made anew for each text. For one thread, and one scanner,
  /// at a time.
  public final class Memory {
    let parser: TextParser

    /// - Throws: a `Diagnostic` of category `failure` where there is none.
    public init() throws { parser = try TextParser() }
  }

  /// A scanner at the start of a text.
  ///
  /// - Parameters:
  ///   - memory: What a scanner before it had; nil for some of its own.
  ///   - isObject: True to say of a text that begins with something else, or with nothing, that it must be an object.
  ///   - file: Name for messages.
  ///   - line: The line of `file` that the text starts at, for one line of a JSONL file.
  /// - Throws: a `Diagnostic` with the line where the text is not JSON.
  @_lifetime(copy bytes)
  public init(
    _ bytes: Span<UInt8>, isObject: Bool = false, file: String? = nil, line: Int = 1, memory: Memory? = nil
  ) throws {
    if isObject, let fault = JSONFault.root(of: bytes, file: file, line: line) { throw fault }
    let memory = try memory ?? Memory()
    text = try memory.parser.read(bytes, refusesKeysTwice: false, file: file, line: line)
    self.memory = memory
    self.bytes = bytes
    self.file = file
    firstLine = line
  }

  // MARK: Containers

  /// Enters an object.
  public mutating func beginObject() throws { try begin(SimdJSONObject, "an object") }

  /// Enters an array.
  public mutating func beginArray() throws { try begin(SimdJSONArray, "an array") }

  /// Moves to the next member of the innermost object and puts its key's bytes into `key`; at the end leaves the object
  /// and returns false.
  public mutating func nextKey(_ key: inout [UInt8]) -> Bool {
    key.removeAll(keepingCapacity: true)
    return nextKey(appendingTo: &key)
  }

  /// As ``nextKey(_:)``, with the key's bytes appended to what `bytes` holds.
  public mutating func nextKey(appendingTo bytes: inout [UInt8]) -> Bool {
    guard advance(inObject: true) else { return false }
    append(pass(), to: &bytes)
    return true
  }

  /// Moves to the next element of the innermost array; at the end leaves the array and returns false.
  public mutating func nextElement() -> Bool { advance(inObject: false) }

  /// Makes sure that the one value has been read, behind which there is nothing.
  ///
  /// - Precondition: No container is open, and the value has been read.
  public func finish() {
    precondition(open.isEmpty, "finish() inside \(open.count) open containers")
    precondition(index == text.count, "finish() before the value was read")
  }

  private mutating func begin(_ kind: SimdJSONKind, _ expected: String) throws {
    let record = next()
    guard record.kind == kind else { throw unexpected(expected) }
    open.append(Container(isObject: kind == SimdJSONObject, next: Int(record.bits), end: text.end(record)))
    position = text.start(record) + 1
    index += 1
  }

  private mutating func advance(inObject: Bool) -> Bool {
    guard let container = open.last, container.isObject == inObject else {
      preconditionFailure("the innermost container is of the other kind")
    }
    guard index == container.next else { return true }
    open.removeLast()
    position = container.end
    return false
  }

  // MARK: Values

  /// The kind of the value that comes next.
  public mutating func peekKind() -> Kind {
    switch next().kind {
    case SimdJSONNull: .null
    case SimdJSONFalse, SimdJSONTrue: .bool
    case SimdJSONString: .string
    case SimdJSONArray: .array
    case SimdJSONObject: .object
    default: .number
    }
  }

  /// Reads an integer that fits 64 bits.
  public mutating func readInteger() throws -> Int {
    guard next().kind == SimdJSONInteger else { throw diagnostic("expected an integer") }
    return Int(Int64(bitPattern: pass().bits))
  }

  /// Reads a number of any kind, as the nearest double.
  public mutating func readNumber() throws -> Double {
    switch next().kind {
    case SimdJSONInteger: Double(Int64(bitPattern: pass().bits))
    case SimdJSONDouble: Double(bitPattern: pass().bits)
    default: throw unexpected("a number")
    }
  }

  /// Reads a string.
  public mutating func readString() throws -> String {
    var text: [UInt8] = []
    try readString(appendingTo: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads a string and appends its bytes, escapes resolved, to what `bytes` holds.
  public mutating func readString(appendingTo bytes: inout [UInt8]) throws {
    guard next().kind == SimdJSONString else { throw unexpected("a string") }
    append(pass(), to: &bytes)
  }

  /// Reads any value whole.
  ///
  /// - Throws: a `Diagnostic` where a key comes twice in an object.
  public mutating func readValue() throws -> JSONValue {
    let end = text.end(next())
    do {
      let value = try text.value(&index)
      position = end
      return value
    } catch let twice as ParsedText.KeyTwice {
      position = twice.end
      throw diagnostic("is not valid JSON: the key \"\(twice.key)\" comes twice")
    }
  }

  /// Passes over any value.
  public mutating func skipValue() {
    let end = text.end(next())
    index = text.index(after: index)
    position = end
  }

  // MARK: Coming back

  /// A place in a text, for members that have to be read in another order than the text has them in.
  public struct Bookmark {
    fileprivate var index: Int
    fileprivate var position: Int
    fileprivate var open: [Container]
  }

  /// The place that was reached.
  public var bookmark: Bookmark { Bookmark(index: index, position: position, open: open) }

  /// Goes back, or forward, to a place in this text.
  public mutating func go(to bookmark: Bookmark) {
    index = bookmark.index
    position = bookmark.position
    open = bookmark.open
  }

  /// The record that comes next, with ``position`` at its start.
  private mutating func next() -> SimdJSONRecord {
    precondition(index < (open.last?.next ?? text.count), "there is no value behind the last one")
    let record = text[index]
    position = text.start(record)
    return record
  }

  /// Passes over a record that holds no others.
  private mutating func pass() -> SimdJSONRecord {
    let record = text[index]
    position = text.end(record)
    index += 1
    return record
  }

  private func append(_ record: SimdJSONRecord, to bytes: inout [UInt8]) {
    unsafe bytes.append(contentsOf: text.bytes(record))
  }

  // MARK: Messages

  /// A diagnostic of category `input` at the current place, for a caller that finds fault with what it read.
  public func diagnostic(_ message: String) -> Diagnostic {
    .input(message, file: file, line: firstLine + bytes.lineFeeds(in: 0..<position))
  }

  private func unexpected(_ expected: String) -> Diagnostic {
    let found = JSONFault.name(position < bytes.count ? bytes[position] : nil)
    return diagnostic("is not valid JSON: expected \(expected), found \(found)")
  }
}
