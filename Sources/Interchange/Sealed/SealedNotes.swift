import Diagnostics
import Fingerprints
import JSON
import LogitCache
import SafeTensors
import TeacherSignal

/// What a sealed file says of itself.
struct SealedNotes {
  struct ColumnNote {
    var name: String
    var extent: Column.Extent
    var width: Int
    var element: Column.Element
  }

  let manifest: CacheManifest
  let kind: SparseSignal.Kind
  let columns: [ColumnNote]

  /// - Parameter naming: What stands for what a file of another tool's making leaves out; only the vocabulary must be there.
  /// - Throws: a `Diagnostic` of category `input` that names the key.
  init(_ file: SafeTensorsFile, naming: SealedFile.Naming?) throws {
    let notes = Notes(file: file)
    guard notes["format"] == SealedLayout.format, notes["alignment"] ?? SealedLayout.alignment == SealedLayout.alignment
    else {
      throw Diagnostic.input(
        "is no sealed file: its format is \(notes["format"] ?? "not named")", file: file.path, field: "format",
        remedy: "name a file that decant cache export --format sealed wrote")
    }
    let named = notes["kind"] ?? SparseSignal.Kind.derivedTail.rawValue
    guard let kind = SparseSignal.Kind(rawValue: named) else { throw notes.fault("is an unknown kind", "kind") }
    self.kind = kind
    columns = try Self.columns(notes)
    manifest = try Self.manifest(notes, naming)
    guard columns.isEmpty || manifest.columns == columns.map(\.name).sorted() else {
      throw notes.fault("does not name the columns that are there", "column_names")
    }
  }

  private static func columns(_ notes: Notes) throws -> [ColumnNote] {
    let columns = try notes.json("columns").elements().map { column in
      guard let extent = Column.Extent(rawValue: try column.required("extent").string()),
        let element = Column.Element(rawValue: try column.required("element").string())
      else { throw notes.fault("names an unknown extent or element", "columns") }
      return ColumnNote(
        name: try column.required("name").string(), extent: extent,
        width: try column.required("width").integer(in: 1...1 << 20), element: element)
    }
    for column in columns where !isName(column.name) {
      throw notes.fault("'\(column.name)' is no name of a column", "columns")
    }
    guard Set(columns.map(\.name)).count == columns.count else { throw notes.fault("names a column twice", "columns") }
    return columns
  }

  private static func manifest(_ notes: Notes, _ naming: SealedFile.Naming?) throws -> CacheManifest {
    let vocabularySize = try notes.number("vocabulary_size", 1...Int(Int32.max))
    guard let place = naming?.teacher ?? notes["teacher_path"] else { throw unnamed("teacher", notes.file) }
    guard let tokenizer = try naming?.tokenizer ?? notes.fingerprint("tokenizer") else {
      throw unnamed("tokenizer", notes.file)
    }
    let teacher = naming?.teacher == nil ? try notes.fingerprint("teacher") : nil
    var manifest = CacheManifest(
      teacher: teacher ?? Fingerprint(of: "imported\nsealed\n\(place)\n\(vocabularySize)\n"), teacherPath: place,
      precision: notes["precision"] ?? "imported",
      kernels: try notes.json("kernels").elements().first?.string() ?? "sealed", tokenizer: tokenizer,
      codec: try notes["codec"].map { try SignalCodec(identifier: $0) { notes.fault($0, "codec") } } ?? .exact,
      topK: try notes["top_k"] == nil ? vocabularySize : notes.number("top_k", 1...vocabularySize),
      vocabularySize: vocabularySize, selection: notes["selection"] ?? "all",
      columns: try notes.json("column_names").elements().map { try $0.string() },
      endOfText: try notes["end_of_text"].map { _ in Int32(try notes.number("end_of_text", 0...Int(Int32.max))) })
    let declared = try notes.json("column_declarations").elements().map { try ColumnDeclaration($0) }
    guard Set(declared.map(\.name)).count == declared.count,
      declared.allSatisfy({ manifest.columns.contains($0.name) })
    else { throw notes.fault("declares a column that is not there, or one twice", "column_declarations") }
    manifest.declare(declared)
    if teacher == nil {
      manifest.origin = ["kind": "imported", "format": "sealed", "name": .string(place), "tail": "derived"]
    }
    if notes["chat"] != nil { manifest.chat = try notes.json("chat").object() }
    if notes["origin"] != nil { manifest.origin = try notes.json("origin").object() }
    return manifest
  }

  private static func unnamed(_ what: String, _ file: SafeTensorsFile) -> Diagnostic {
    .input(
      "does not say which \(what) it is of", file: file.path, field: what,
      remedy: what == "teacher" ? "name it: --teacher-name" : "give its folder: --tokenizer")
  }

  /// As columns of a sample are named.
  private static func isName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "_-./".utf8.contains(byte)
        }
      }
  }
}

/// The texts of a file's metadata.
private struct Notes {
  let file: SafeTensorsFile

  subscript(key: String) -> String? { file.metadata[key] }

  func fault(_ message: String, _ key: String) -> Diagnostic { .input(message, file: file.path, field: key) }

  /// Nil where it is missing.
  func fingerprint(_ key: String) throws -> Fingerprint? {
    guard let text = self[key] else { return nil }
    guard let found = Fingerprint(text) else { throw fault("is no fingerprint", key) }
    return found
  }

  func number(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
    guard let text = self[key] else { throw fault("is missing in the metadata", key) }
    guard let found = Int(text), range.contains(found) else {
      throw fault("is '\(text)', expected a number of \(range)", key)
    }
    return found
  }

  /// An empty list where it is missing.
  func json(_ key: String) throws -> JSONField {
    do { return JSONField(try JSONValue.parse(Array((self[key] ?? "[]").utf8)), file: file.path) } catch let bad
      as Diagnostic
    { throw bad.located(file: file.path, field: key) }
  }
}
