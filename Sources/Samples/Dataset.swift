import Diagnostics
import Files
public import Fingerprints
public import JSON

/// The rows of a file: JSONL, one JSON array, or plain text with a named separator.
public struct Dataset: Sendable {
  /// What the rows are for.
  public enum Purpose: String, Sendable {
    /// Every row needs something to learn from: a response, or text.
    case training
    /// Every row needs a prompt; a text is one.
    case prompts
  }

  /// What to do with a row whose response is empty or white space, in data for training.
  public enum EmptyResponses: String, Sendable, CaseIterable, Codable {
    /// Refuse the file, with the line.
    case refuse
    /// Leave the row out, and count it.
    case skip
  }

  /// How a file is read.
  public struct Options: Sendable, Equatable {
    public var fields = FieldNames()
    /// Divides a plain text into rows; nil for JSON.
    public var separator: TextSeparator?
    public var emptyResponses = EmptyResponses.refuse
    public var purpose = Purpose.training

    public init(
      fields: FieldNames = FieldNames(), separator: TextSeparator? = nil,
      emptyResponses: EmptyResponses = .refuse, purpose: Purpose = .training
    ) {
      self.fields = fields
      self.separator = separator
      self.emptyResponses = emptyResponses
      self.purpose = purpose
    }
  }

  public let path: String
  public let options: Options
  public private(set) var rows: [Row] = []
  /// Rows that were left out because their response is empty.
  public private(set) var emptyResponseCount = 0
  private let file: MappedFile

  /// Reads a file. With a separator it is plain text; else it is one JSON array where its first character is `[`, and
  /// otherwise JSONL, in which blank lines count for nothing.
  ///
  /// A byte order mark where a line begins is no content, and the lines of a plain text end with `\n`, `\r\n` or `\r`,
  /// which all count as `\n`, between rows and inside of them. A JSON file ends its lines with `\n` or `\r\n`, or with
  /// `\r` where it has no `\n` at all.
  ///
  /// - Throws: a `Diagnostic` of category `input` with file and line, also where there is no row at all, and for a folder, a
  ///   compressed file, a Parquet file or a text in UTF-16.
  public static func load(_ path: String, _ options: Options = Options()) throws -> Dataset {
    guard !File.isFolder(path) else {
      throw Diagnostic.input("is a folder", file: path, remedy: "name one file of rows")
    }
    var dataset = Dataset(file: try MappedFile(path: path), options: options)
    try dataset.read()
    guard !dataset.rows.isEmpty else {
      let skipped = dataset.emptyResponseCount
      throw Diagnostic.input(
        skipped == 0 ? "has no rows" : "has no rows but the \(skipped) left out for their empty responses", file: path,
        remedy: "name a file with at least one row\(skipped == 0 ? "" : " that has a response")")
    }
    return dataset
  }

  private init(file: MappedFile, options: Options) {
    self.file = file
    self.options = options
    path = file.path
  }

  /// A fingerprint of the file's bytes and of how it was read.
  public var fingerprint: Fingerprint {
    let content = unsafe Fingerprint(of: file.bytes)
    let parts = [
      "\(content)", options.fields.description, options.separator?.name ?? "json", options.emptyResponses.rawValue,
      options.purpose.rawValue,
    ]
    return Fingerprint(of: parts.joined(separator: "\n"))
  }

  /// The object a row was read from, for writing it out again with more; a row of plain text gives `{"text": ...}`.
  public func original(_ row: Row) throws -> JSONObject {
    if let text = plainText(row) { return ["text": .string(text)] }
    return try original(row.bytes, line: row.line)
  }

  private func original(_ bytes: Range<Int>, line: Int) throws -> JSONObject {
    let row = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[bytes])
    return try unsafe JSONValue.parse(row, file: path, line: line).objectValue ?? JSONObject()
  }

  /// The text of ``original(_:)``, for writing it out again unchanged.
  public func text(_ row: Row) -> RowText {
    if let text = plainText(row) { return RowText(JSONValue.object(["text": .string(text)]).serialized().span) }
    let buffer = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[row.bytes])
    return unsafe RowText(Span<UInt8>(_unsafeBytes: buffer))
  }

  private func plainText(_ row: Row) -> String? { options.separator == nil ? nil : row.text }

  // MARK: Reading

  private mutating func read() throws {
    // A local of its own: lending the span straight from the file crashes the compiler (Swift 6.3.1).
    let buffer = unsafe file.bytes
    try unsafe ForeignContent.refuse(buffer, file: path)
    let bytes = unsafe Span<UInt8>(_unsafeBytes: buffer)
    if let separator = options.separator {
      guard let text = PlainText.normalized(bytes) else { return try readText(bytes, separator) }
      return try readText(text.span, separator)
    }
    let first = bytes.indices.first { !TextSeparator.isSpace(bytes[$0]) && bytes[$0] < 0x80 }
    if let first, bytes[first] == UInt8(ascii: "[") { try readArray(bytes) } else { try readLines(bytes) }
  }

  private mutating func readText(_ bytes: Span<UInt8>, _ separator: TextSeparator) throws {
    var lines = LineCounter()
    for range in separator.rows(bytes) {
      let line = lines.line(at: range.lowerBound, of: bytes)
      if let zero = range.first(where: { bytes[$0] == 0 }) {
        throw Diagnostic.input(
          "holds a zero byte, as files that are no text do", file: path, line: lines.line(at: zero, of: bytes),
          remedy: "name a text in UTF-8")
      }
      guard let text = Self.text(bytes.extracting(range)) else {
        // Which of the row's lines it is.
        var bad = range.lowerBound
        for end in range where bytes[end] == 0x0A {
          guard Self.text(bytes.extracting(bad..<end)) != nil else { break }
          bad = end + 1
        }
        throw Diagnostic.input(
          "is not UTF-8", file: path, line: lines.line(at: bad, of: bytes),
          remedy: "convert the file: iconv -t UTF-8, with -f and what it is in")
      }
      rows.append(Row(content: .text(text), references: [], line: line, bytes: range))
    }
  }

  /// The bytes as text, nil where they are not UTF-8.
  private static func text(_ bytes: Span<UInt8>) -> String? {
    unsafe bytes.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
  }

  private mutating func readLines(_ bytes: Span<UInt8>) throws {
    let json = try JSONRowReader(options.fields.names)
    var line = 0
    let newline: UInt8 = bytes.indices.contains { bytes[$0] == 0x0A } ? 0x0A : 0x0D
    try TextSeparator.forEachPart(bytes, dividedBy: [newline]) { part in
      line += 1
      let range = PlainText.withoutMark(part, of: bytes)
      guard !range.allSatisfy({ TextSeparator.isSpace(bytes[$0]) }) else { return }
      let value: JSONValue
      do { value = try json.read(bytes.extracting(range), file: path, line: line) } catch var fault as Diagnostic {
        fault.remedy =
          fault.remedy
          ?? (line == 1
            ? "give JSONL or one JSON array; for plain text, name what divides its rows (separator)"
            : "mend the line or remove it; where it is the last one, the file may have been cut short")
        throw fault
      }
      try add(value, line: line, bytes: range)
    }
  }

  private mutating func readArray(_ bytes: Span<UInt8>) throws {
    try JSONRowReader(options.fields.names).readElements(of: bytes, file: path) { value, line, range in
      try add(value, line: line, bytes: range)
    }
  }

  private mutating func add(_ value: JSONValue, line: Int, bytes: Range<Int>) throws {
    let reader = RowReader(fields: options.fields, purpose: options.purpose, file: path)
    let (content, references) = try reader.read(value, line: line) { try original(bytes, line: line) }
    let row = Row(content: content, references: references, line: line, bytes: bytes)
    if options.purpose == .training, let response = row.response ?? row.text, response.allSatisfy(\.isWhitespace) {
      guard options.emptyResponses == .skip else {
        throw Diagnostic.input(
          "the \(row.response == nil ? "text" : "response") is empty", file: path, line: line,
          remedy: "remove the row, or set empty_responses to skip")
      }
      emptyResponseCount += 1
      return
    }
    rows.append(row)
  }
}

extension Row {
  /// The running text, nil where the row is of another shape.
  fileprivate var text: String? { if case .text(let text) = content { text } else { nil } }
}

/// Finds the line of places that are asked for in ascending order.
private struct LineCounter {
  private var line = 1
  private var position = 0

  mutating func line(at offset: Int, of bytes: Span<UInt8>) -> Int {
    while position < offset {
      if bytes[position] == 0x0A { line += 1 }
      position += 1
    }
    return line
  }
}
