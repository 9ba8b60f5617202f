import JSON

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
    switch file.form {
    case .lines(let newline): return nextLine(bytes, newline)
    case .array: return try nextElement(bytes)
    case .text(let separator): return nextText(bytes, separator)
    }
  }

  // MARK: JSONL

  private mutating func nextLine(_ bytes: Span<UInt8>, _ newline: UInt8) -> RowPlace? {
    while position <= bytes.count {
      let end = bytes.firstIndex(of: newline, from: position) ?? bytes.count
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
    _ bytes: Span<UInt8>, _ separator: TextSeparator
  ) -> RowPlace? {
    while position <= bytes.count {
      let (part, next) = separator.part(from: position, of: bytes)
      let range = TextSeparator.trimmed(part, of: bytes)
      let start = min(max(range.lowerBound, position), bytes.count)
      let own = line + bytes.lineFeeds(in: position..<start)
      line = own + bytes.lineFeeds(in: start..<min(next, bytes.count))
      position = next
      if !range.isEmpty { return RowPlace(bytes: range, line: own) }
    }
    return nil
  }

  // MARK: JSON array

  private mutating func nextElement(_ bytes: Span<UInt8>) throws -> RowPlace? {
    if position > bytes.count { return nil }
    var elements = try JSONArrayElements(bytes, from: position, file: file.path)
    guard let element = try elements.next() else {
      position = bytes.count + 1
      return nil
    }
    let own = line + bytes.lineFeeds(in: position..<element.lowerBound)
    line = own + bytes.lineFeeds(in: element)
    position = element.upperBound
    return RowPlace(bytes: element, line: own)
  }
}
