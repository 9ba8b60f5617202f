import Diagnostics
public import Fingerprints
public import JSON

/// The rows of one or several files, each JSONL, one JSON array, or plain text with a named separator, and as it is or
/// compressed (gzip, zstd): read where they lie, in order or at any place, and kept nowhere.
///
/// A byte order mark where a line begins is no content, and the lines of a plain text end with `\n`, `\r\n` or `\r`,
/// which all count as `\n`, between rows and inside of them. A JSON file ends its lines with `\n` or `\r\n`, or with
/// `\r` where it has no `\n` at all; blank lines count for nothing. What a file is, its content tells: compressed by
/// its first bytes, a JSON array where its first character is `[`.
public struct Dataset: Sendable {
  /// What the rows are for.
  public enum Purpose: String, Sendable {
    /// Every row needs something to learn from: a response, or text.
    case training
    /// Every row needs a prompt; a text is one.
    case prompts
    /// Every row is read as a text: its prompt and, where it has one, its response.
    case texts
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

    /// Every option in a line of its own: changed field names, separator, empty responses, purpose. What depends on how
    /// rows are read is named by these bytes, so they stay as they are.
    public var text: String {
      [fields.description, separator?.name ?? "json", emptyResponses.rawValue, purpose.rawValue]
        .joined(separator: "\n")
    }
  }

  /// The files, in the order of their rows, as the user named them.
  public let paths: [String]
  public let options: Options
  let files: [RowFile]

  /// Opens files, whose rows are numbered through in the order given.
  ///
  /// - Parameters:
  ///   - files: Paths and patterns.
  ///   - folder: Takes what compressed files and texts with other line ends are read from, under names made of their
  ///     content, so that it is found again; nil keeps it in files without a name as long as the data set is open.
  /// - Throws: a `Diagnostic` of category `input` for a pattern that matches nothing, a file named twice, a folder, a
  ///   damaged compressed file, a Parquet file, a text in UTF-16; of category `failure` where the disk is full.
  public init(_ files: DataFiles, _ options: Options = Options(), decompressedIn folder: String? = nil) throws {
    self.options = options
    paths = try files.paths()
    self.files = try paths.map { try RowFile(path: $0, options, decompressedIn: folder) }
  }

  /// The files in short, for messages and accounts.
  public var path: String {
    paths.count == 1 ? paths[0] : "\(paths[0]) and \(paths.count - 1) more"
  }

  /// A fingerprint of the files' contents, decompressed, and of how they are read. It does not depend on their names, but on
  /// how the rows are divided among them.
  public var fingerprint: Fingerprint {
    let contents = files.map { "\($0.fingerprint)" }
    let content = contents.count == 1 ? contents[0] : "\(Fingerprint(of: contents.joined(separator: "\n")))"
    return Fingerprint(of: "\(content)\n\(options.text)")
  }

  /// Reads the rows one after the other.
  ///
  /// - Returns: How many rows were left out for their empty responses.
  /// - Throws: a `Diagnostic` of category `input` with file and line where a row fits no shape, and where there is no row
  ///   at all; and what `body` throws.
  @discardableResult
  public func forEachRow(_ body: (Row) throws -> Void) throws -> Int {
    var (count, skipped) = (0, 0)
    for (number, file) in files.enumerated() {
      var cursor = RowCursor(file)
      while let place = try cursor.next() {
        if let row = try file.row(at: place, file: number) {
          count += 1
          try body(row)
        } else {
          skipped += 1
        }
      }
    }
    if count == 0 { throw noRows(skipped: skipped) }
    return skipped
  }

  func noRows(skipped: Int) -> Diagnostic {
    Diagnostic.input(
      skipped == 0 ? "has no rows" : "has no rows but the \(skipped) left out for their empty responses", file: path,
      remedy: "name a file with at least one row\(skipped == 0 ? "" : " that has a response")")
  }

  func noSamples(rows: Int) -> Diagnostic {
    Diagnostic.input(
      "has \(rows) rows, but the prompts of all are too long", file: path,
      remedy: "raise max_length, or set long_prompts to truncate-prompt-left")
  }

  /// The sample of a row: a prompt alone where the data set is read for prompts. Nil where the prompt is too long and
  /// such rows are dropped.
  package func sample(of row: Row, _ builder: SampleBuilder) throws -> Sample? {
    do {
      switch options.purpose {
      case .training: return try builder.sample(row)
      case .prompts: return try builder.prompt(row)
      case .texts: return try builder.passage(row)
      }
    } catch let fault as Diagnostic { throw fault.located(file: files[row.file].path, line: row.line) }
  }

  /// The object a row was read from, for writing it out again with more; a row of plain text gives `{"text": ...}`.
  public func original(_ row: Row) throws -> JSONObject {
    if let text = plainText(row) { return ["text": .string(text)] }
    let file = files[row.file]
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[row.bytes])
    return try unsafe JSONValue.parse(bytes, file: file.path, line: row.line).objectValue ?? JSONObject()
  }

  /// The text of ``original(_:)``, for writing it out again unchanged.
  public func text(_ row: Row) -> RowText {
    if let text = plainText(row) { return RowText(JSONValue.object(["text": .string(text)]).serialized().span) }
    let buffer = unsafe UnsafeRawBufferPointer(rebasing: files[row.file].bytes[row.bytes])
    return unsafe RowText(Span<UInt8>(_unsafeBytes: buffer))
  }

  private func plainText(_ row: Row) -> String? { options.separator == nil ? nil : row.text }
}
