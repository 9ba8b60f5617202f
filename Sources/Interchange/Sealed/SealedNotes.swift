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

  init(_ file: SafeTensorsFile) throws {
    func fault(_ message: String, _ key: String) -> Diagnostic { .input(message, file: file.path, field: key) }
    func text(_ key: String) throws -> String {
      guard let text = file.metadata[key] else { throw fault("is missing in the metadata", key) }
      return text
    }
    func fingerprint(_ key: String) throws -> Fingerprint {
      guard let found = Fingerprint(try text(key)) else { throw fault("is no fingerprint", key) }
      return found
    }
    func number(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
      guard let found = Int(try text(key)), range.contains(found) else {
        throw fault("is '\(try text(key))', expected a number of \(range)", key)
      }
      return found
    }
    func json(_ key: String) throws -> JSONField {
      do { return JSONField(try JSONValue.parse(Array(try text(key).utf8)), file: file.path) } catch let bad
        as Diagnostic
      {
        throw bad.located(file: file.path, field: key)
      }
    }
    guard file.metadata["format"] == SealedLayout.format, file.metadata["alignment"] == SealedLayout.alignment else {
      throw Diagnostic.input(
        "is no sealed file: its format is \(file.metadata["format"] ?? "not named")", file: file.path, field: "format",
        remedy: "name a file that decant cache export --format sealed wrote")
    }
    guard let kind = SparseSignal.Kind(rawValue: try text("kind")) else { throw fault("is an unknown kind", "kind") }
    self.kind = kind
    columns = try json("columns").elements().map { column in
      guard let extent = Column.Extent(rawValue: try column.required("extent").string()),
        let element = Column.Element(rawValue: try column.required("element").string())
      else { throw fault("names an unknown extent or element", "columns") }
      return ColumnNote(
        name: try column.required("name").string(), extent: extent,
        width: try column.required("width").integer(in: 1...1 << 20), element: element)
    }
    for column in columns where !Self.isName(column.name) {
      throw fault("'\(column.name)' is no name of a column", "columns")
    }
    guard Set(columns.map(\.name)).count == columns.count else { throw fault("names a column twice", "columns") }
    let names = try json("column_names").elements().map { try $0.string() }
    guard columns.isEmpty || names.sorted() == columns.map(\.name).sorted() else {
      throw fault("does not name the columns that are there", "column_names")
    }
    let kernels = try json("kernels").elements().first?.string() ?? ""
    let vocabularySize = try number("vocabulary_size", 1...Int(Int32.max))
    var manifest = CacheManifest(
      teacher: try fingerprint("teacher"), teacherPath: try text("teacher_path"), precision: try text("precision"),
      kernels: kernels, tokenizer: try fingerprint("tokenizer"),
      codec: try SignalCodec(identifier: try text("codec")) { fault($0, "codec") },
      topK: try number("top_k", 1...vocabularySize), vocabularySize: vocabularySize, selection: try text("selection"),
      columns: names,
      endOfText: try file.metadata["end_of_text"].map { _ in Int32(try number("end_of_text", 0...Int(Int32.max))) })
    if file.metadata["chat"] != nil { manifest.chat = try json("chat").object() }
    if file.metadata["origin"] != nil { manifest.origin = try json("origin").object() }
    self.manifest = manifest
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
