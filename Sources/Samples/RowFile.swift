import Diagnostics
import Files
import Fingerprints
import JSON
import Synchronization

/// A file of rows, mapped: any of its rows can be read at any time, from any thread, and none is kept.
///
/// A compressed file is decompressed first, and so is a plain text whose lines end otherwise than with `\n` written anew: to
/// a file in the folder that is given, where it is found again, else to one without a name.
final class RowFile: Sendable {
  /// How the bytes are divided into rows.
  enum Form: Sendable, Equatable {
    /// JSON, one value a line, and the byte that ends lines.
    case lines(newline: UInt8)
    /// One JSON array.
    case array
    case text(TextSeparator)
  }

  /// As the user wrote it.
  let path: String
  let options: Dataset.Options
  let form: Form
  /// Of the file that the user gave; nil for a pipe.
  let identity: FileIdentity?
  /// What rows are read from.
  private let file: MappedFile
  /// What the user gave, decompressed.
  private let content: MappedFile
  private let known = Mutex<Fingerprint?>(nil)
  /// Readers that no thread uses now.
  private let readers = Mutex<[Idle]>([])

  /// Names of the files in the folder of spools that this one reads from, or was made from.
  var spools: [String] {
    [content.path, file.path].compactMap { path in
      path.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) }
    }
  }

  /// - Throws: a `Diagnostic` of category `input` for a folder, what is no text in UTF-8 by its first bytes, and a
  ///   damaged compressed file; of category `failure` where there is no room for its content.
  init(path: String, _ options: Dataset.Options, decompressedIn folder: String?) throws {
    self.path = path
    self.options = options
    guard !File.isFolder(path) else {
      throw Diagnostic.input(
        "is a folder", file: path, remedy: "name files, or a pattern such as \(path)/*.jsonl")
    }
    let given = try MappedFile(path: path)
    identity = given.identity
    content = try Self.content(of: given, decompressedIn: folder)
    let bytes = unsafe content.bytes
    try unsafe ForeignContent.refuse(bytes, file: path)
    if let separator = options.separator {
      form = .text(separator)
      file = try Self.withLineFeeds(content, of: path, in: folder)
    } else {
      form = unsafe Self.form(bytes)
      file = content
    }
  }

  /// The bytes of all rows; valid while this object lives.
  var bytes: UnsafeRawBufferPointer { unsafe file.bytes }

  /// A fingerprint of what the user gave, decompressed.
  var fingerprint: Fingerprint {
    known.withLock { known in
      if let known { return known }
      let made = unsafe Fingerprint(of: content.bytes)
      known = made
      return made
    }
  }

  /// Takes a fingerprint that is known already.
  func adopt(_ fingerprint: Fingerprint) { known.withLock { $0 = $0 ?? fingerprint } }

  private static func content(of given: MappedFile, decompressedIn folder: String?) throws -> MappedFile {
    let bytes = unsafe given.bytes
    guard let compression = unsafe Compression(bytes) else { return given }
    let name = folder == nil ? "" : "\(Spool.decompressed)\(unsafe Fingerprint(of: bytes))"
    return try Spool.file(name, in: folder, of: given.path) { writer in
      try unsafe compression.decompress(bytes, file: given.path) { unsafe try writer.append($0) }
    }
  }

  private static func withLineFeeds(_ content: MappedFile, of path: String, in folder: String?) throws -> MappedFile {
    let bytes = unsafe content.bytes
    guard unsafe PlainText.needsLineFeeds(Span(_unsafeBytes: bytes)) else { return content }
    let name = folder == nil ? "" : "\(Spool.lines)\(unsafe Fingerprint(of: bytes))"
    return try Spool.file(name, in: folder, of: path) { writer in
      try unsafe PlainText.writeWithLineFeeds(bytes) { unsafe try writer.append($0) }
    }
  }

  private static func form(_ buffer: UnsafeRawBufferPointer) -> Form {
    let first = unsafe buffer.first { !TextSeparator.isSpace($0) && $0 < 0x80 }
    if first == UInt8(ascii: "[") { return .array }
    let bytes = unsafe Span<UInt8>(_unsafeBytes: buffer)
    return .lines(newline: bytes.firstIndex(of: 0x0A, from: 0) == nil ? 0x0D : 0x0A)
  }

  // MARK: Rows

  /// The row at a place; nil where it is left out for its empty response.
  ///
  /// - Throws: a `Diagnostic` of category `input` with file and line.
  func row(at place: RowPlace, file number: Int) throws -> Row? {
    let buffer = unsafe file.bytes
    let bytes = unsafe Span<UInt8>(_unsafeBytes: buffer).extracting(place.bytes)
    if case .text = form {
      let content = Row.Content.text(try text(bytes, line: place.line))
      return Row(content: content, references: [], file: number, line: place.line, bytes: place.bytes)
    }
    let reader = RowReader(fields: options.fields, purpose: options.purpose, file: path)
    let (content, references) = try reader.read(members(bytes, line: place.line), line: place.line) {
      try JSONValue.parse(bytes, file: path, line: place.line).objectValue ?? JSONObject()
    }
    let row = Row(content: content, references: references, file: number, line: place.line, bytes: place.bytes)
    guard options.purpose != .prompts, let text = row.response ?? row.text, Self.isBlank(text), !row.callsTool else {
      return row
    }
    guard options.emptyResponses == .skip else {
      throw Diagnostic.input(
        "the \(row.response == nil ? "text" : "response") is empty", file: path, line: place.line,
        remedy: "remove the row, or set empty_responses to skip")
    }
    return nil
  }

  private static func isBlank(_ text: String) -> Bool {
    // What nearly every text begins with decides it without a look at Unicode's tables.
    if let first = text.utf8.first, first > 0x20 && first < 0x7F { return false }
    return text.allSatisfy { $0.isWhitespace }
  }

  /// A reader of rows, which is lent to one thread at a time.
  private struct Idle: @unchecked Sendable {
    // Sendable: whoever takes it out of the list has it alone.
    let reader: JSONRowReader
  }

  /// The members of a row that its shapes have.
  private func members(_ bytes: Span<UInt8>, line: Int) throws -> JSONValue {
    let lent = try readers.withLock { $0.popLast() } ?? Idle(reader: JSONRowReader(options.fields.names))
    defer { readers.withLock { $0.append(lent) } }
    do { return try lent.reader.read(bytes, nesting: form == .array ? 1 : 0, file: path, line: line) } catch var fault
      as Diagnostic
    {
      if form != .array {
        fault.remedy =
          fault.remedy
          ?? (line == 1
            ? "give JSONL or one JSON array; for plain text, name what divides its rows (separator)"
            : "mend the line or remove it; where it is the last one, the file may have been cut short")
      }
      throw fault
    }
  }

  private func text(_ bytes: Span<UInt8>, line: Int) throws -> String {
    func lines(before end: Int) -> Int { (0..<end).count { bytes[$0] == 0x0A } }
    if let zero = bytes.indices.first(where: { bytes[$0] == 0 }) {
      throw Diagnostic.input(
        "holds a zero byte, as files that are no text do", file: path, line: line + lines(before: zero),
        remedy: "name a text in UTF-8")
    }
    if let text = PlainText.text(bytes) { return text }
    // Which of the row's lines it is.
    var bad = 0
    for end in bytes.indices where bytes[end] == 0x0A {
      guard PlainText.text(bytes.extracting(bad..<end)) != nil else { break }
      bad = end + 1
    }
    throw Diagnostic.input(
      "is not UTF-8", file: path, line: line + lines(before: bad),
      remedy: "convert the file: iconv -t UTF-8, with -f and what it is in")
  }
}

extension Row {
  /// Whether the response calls a tool, and so says something without a text.
  fileprivate var callsTool: Bool {
    guard case .conversation(let conversation) = content else { return false }
    return conversation.response?.fields["tool_calls"].map { !$0.isNull } ?? false
  }

  /// The running text, nil where the row is of another shape.
  var text: String? { if case .text(let text) = content { text } else { nil } }

  var isConversation: Bool { if case .conversation = content { true } else { false } }
}
