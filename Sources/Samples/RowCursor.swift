import Diagnostics

/// Where a row lies in the bytes of its file.
package struct RowPlace: Sendable, Equatable {
  package var bytes: Range<Int>
  /// One-based line that the row begins on.
  package var line: Int
}

/// Walks over a file's rows without reading what is in them: the cheap part that has to go in order. Its whole state is
/// two numbers, so that a walk can be gone on with.
struct RowCursor: Sendable {
  /// The next byte; one beyond the end of the file where there is no further row.
  private(set) var position: Int
  /// The line of ``position``.
  private(set) var line: Int
  private let file: RowFile

  init(_ file: RowFile, position: Int = 0, line: Int = 1) {
    self.file = file
    self.position = position
    self.line = line
  }

  /// The next row, nil after the last one.
  ///
  /// - Throws: a `Diagnostic` of category `input` with file and line where a JSON array is none.
  mutating func next() throws -> RowPlace? {
    // A local of its own: lending the span straight from the file crashes the compiler (Swift 6.3.1).
    let buffer = unsafe file.bytes
    let bytes = unsafe Span<UInt8>(_unsafeBytes: buffer)
    let search = unsafe ByteSearch(buffer)
    switch file.form {
    case .lines(let newline): return nextLine(bytes, search, newline)
    case .array: return try nextElement(bytes, search)
    case .text(let separator): return nextText(bytes, search, separator)
    }
  }

  // MARK: JSONL

  private mutating func nextLine(_ bytes: Span<UInt8>, _ search: ByteSearch, _ newline: UInt8) -> RowPlace? {
    while position <= bytes.count {
      let end = search.first(newline, from: position) ?? bytes.count
      let range = PlainText.withoutMark(position..<end, of: bytes)
      let own = line
      position = end + 1
      line += 1
      if !range.allSatisfy({ TextSeparator.isSpace(bytes[$0]) }) { return RowPlace(bytes: range, line: own) }
    }
    return nil
  }

  // MARK: Plain text

  private mutating func nextText(
    _ bytes: Span<UInt8>, _ search: ByteSearch, _ separator: TextSeparator
  ) -> RowPlace? {
    while position <= bytes.count {
      let (part, next) = separator.part(from: position, of: bytes, search)
      let range = TextSeparator.trimmed(part, of: bytes)
      let start = min(max(range.lowerBound, position), bytes.count)
      let own = line + search.lineFeeds(in: position..<start)
      line = own + search.lineFeeds(in: start..<min(next, bytes.count))
      position = next
      if !range.isEmpty { return RowPlace(bytes: range, line: own) }
    }
    return nil
  }

  // MARK: JSON array

  private mutating func nextElement(_ bytes: Span<UInt8>, _ search: ByteSearch) throws -> RowPlace? {
    if position > bytes.count { return nil }
    var place = position
    if position == 0 {
      while PlainText.hasMark(bytes, at: place) { place += 3 }
      try step(bytes, &place, over: UInt8(ascii: "["), "an array")
      skipSpace(bytes, &place)
      if place < bytes.count && bytes[place] == UInt8(ascii: "]") { return try finish(bytes, place) }
    } else {
      skipSpace(bytes, &place)
      if place < bytes.count && bytes[place] == UInt8(ascii: "]") { return try finish(bytes, place) }
      try step(bytes, &place, over: UInt8(ascii: ","), "a comma or ]")
      skipSpace(bytes, &place)
    }
    let end = Self.end(of: place, bytes)
    guard end > place else { throw unexpected("a value", bytes, at: place) }
    let own = line + search.lineFeeds(in: position..<place)
    line = own + search.lineFeeds(in: place..<end)
    position = end
    return RowPlace(bytes: place..<end, line: own)
  }

  private mutating func finish(_ bytes: Span<UInt8>, _ bracket: Int) throws -> RowPlace? {
    var place = bracket + 1
    skipSpace(bytes, &place)
    guard place == bytes.count else { throw unexpected("the end of the text", bytes, at: place) }
    position = bytes.count + 1
    return nil
  }

  private func skipSpace(_ bytes: Span<UInt8>, _ place: inout Int) {
    while place < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[place]) { place += 1 }
  }

  private func step(_ bytes: Span<UInt8>, _ place: inout Int, over byte: UInt8, _ expected: String) throws {
    skipSpace(bytes, &place)
    guard place < bytes.count && bytes[place] == byte else { throw unexpected(expected, bytes, at: place) }
    place += 1
  }

  /// Where the value that begins at a place ends, as far as its brackets and quotation marks tell: reading it finds out
  /// whether it is one.
  private static func end(of start: Int, _ bytes: Span<UInt8>) -> Int {
    var depth = 0
    var index = start
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        index += 1
        while index < bytes.count && bytes[index] != UInt8(ascii: "\"") {
          index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        if depth == 0 { return min(index + 1, bytes.count) }
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return index }
        depth -= 1
        if depth == 0 { return index + 1 }
      case UInt8(ascii: ","), 0x20, 0x0A, 0x0D, 0x09: if depth == 0 { return index }
      default: break
      }
      index += 1
    }
    return bytes.count
  }

  private func unexpected(_ expected: String, _ bytes: Span<UInt8>, at place: Int) -> Diagnostic {
    var found = "the end of the text"
    if place < bytes.count {
      let byte = bytes[place]
      found =
        byte > 0x20 && byte < 0x7F
        ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x\(String(byte, radix: 16, uppercase: true))"
    }
    var own = line
    for index in position..<min(place, bytes.count) where bytes[index] == 0x0A { own += 1 }
    return .input("is not valid JSON: expected \(expected), found \(found)", file: file.path, line: own)
  }
}
