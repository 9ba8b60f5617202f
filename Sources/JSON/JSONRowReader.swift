import CSimdJSON
import Diagnostics

/// Reads rows, one JSON text each, of which only some members are wanted: only those become values.
///
/// All the rest is passed over, but checked as strictly as by ``JSONValue/parse(_:file:line:)-(Span<UInt8>,_,_)``: a row
/// that it refuses is refused here, in the same words. For one thread at a time.
///
/// ```swift
/// let reader = try JSONRowReader(["prompt", "response"])
/// let row = try reader.read(line, file: path, line: number)
/// let prompt = row["prompt"]?.stringValue
/// ```
public final class JSONRowReader {
  private let parser: TextParser
  private let members: MemberNames

  /// A reader of the members with these keys.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where there is no memory.
  public init(_ members: [String]) throws {
    parser = try TextParser()
    self.members = MemberNames(members)
  }

  /// The members of a row that were asked for, as an object in the row's order; a row that is no object comes whole.
  ///
  /// - Parameters:
  ///   - file: Name for messages.
  ///   - line: The line of `file` that the row starts at.
  /// - Throws: a `Diagnostic` of category `input` with the line.
  public func read(_ row: Span<UInt8>, file: String? = nil, line: Int = 1) throws -> JSONValue {
    try read(row, nesting: 0, file: file, line: line)
  }

  /// Reads the elements of one JSON array as rows, one at a time: a file of any size takes no more than its longest row.
  ///
  /// - Parameters:
  ///   - file: Name for messages.
  ///   - body: Is given what ``read(_:file:line:)`` gives, the line the element starts at, and its bytes.
  /// - Throws: a `Diagnostic` of category `input` with the line, or what `body` throws.
  public func readElements(
    of array: Span<UInt8>, file: String? = nil,
    _ body: (_ row: JSONValue, _ line: Int, _ bytes: Range<Int>) throws -> Void
  ) throws {
    var elements = try ArrayElements(array, file: file)
    var line = 1, counted = 0
    while let element = try elements.next() {
      line += array.lines(in: counted..<element.lowerBound)
      counted = element.lowerBound
      let row: JSONValue
      do { row = try read(array.extracting(element), nesting: 1, file: file, line: line) } catch let fault as Diagnostic
      {
        // Said from the start of the array, which knows what the element stands in.
        throw JSONFault.first(in: array, refusesKeysTwice: true, nesting: 0, file: file, line: 1) ?? fault
      }
      try body(row, line, element)
    }
  }

  private func read(_ row: Span<UInt8>, nesting: Int, file: String?, line: Int) throws -> JSONValue {
    let text = try parser.read(row, members: members.list, nesting: nesting, file: file, line: line)
    var index = 0
    return try text.value(&index, names: members.names)
  }
}

/// Finds the elements of an array, one after another, without reading them.
struct ArrayElements: ~Escapable {
  private let bytes: Span<UInt8>
  private let file: String?
  private var position: Int
  private var isFirst = true

  /// - Throws: a `Diagnostic` where the text does not begin with an array.
  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>, file: String?) throws {
    self.bytes = bytes
    self.file = file
    position = bytes.hasByteOrderMark ? 3 : 0
    guard take(UInt8(ascii: "[")) else { throw fault() }
  }

  /// The bytes of the next element; nil behind the last one, where the text ends.
  ///
  /// - Throws: a `Diagnostic` where what stands between or behind the elements is not JSON.
  mutating func next() throws -> Range<Int>? {
    if take(UInt8(ascii: "]")) {
      skipSpace()
      guard position == bytes.count else { throw fault() }
      return nil
    }
    guard isFirst || take(UInt8(ascii: ",")) else { throw fault() }
    isFirst = false
    skipSpace()
    let start = position
    unsafe bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      position = unsafe simdJSONValueEnd(base, buffer.count, start)
    }
    guard position > start else { throw fault() }
    return start..<position
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, bytes[position].isJSONSpace { position += 1 }
  }

  private func fault() -> Diagnostic {
    JSONFault.first(in: bytes, refusesKeysTwice: true, nesting: 0, file: file, line: 1)
      ?? .input("is not one JSON array", file: file)
  }
}
