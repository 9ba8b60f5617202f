import Diagnostics
import Files
import Fingerprints
import JSON
import TeacherSignal

extension LogitCache {
  /// Whether a folder holds a cache, by its manifest.
  public static func isThere(_ directory: String) -> Bool { File.exists("\(directory)/\(CacheManifest.fileName)") }
}

/// The manifest as a file.
extension CacheManifest {
  /// Reads the manifest of a cache.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the folder is no cache, or its manifest is of another format or
  ///   damaged.
  public init(directory: String) throws {
    let file = "\(directory)/\(Self.fileName)"
    guard File.exists(file) else {
      throw Diagnostic.input(
        "is not a logit cache: it holds no \(Self.fileName)", file: directory,
        remedy: "check the path, or make the cache with decant precompute")
    }
    let json = JSONField(try JSONValue.parse(File.read(file), file: file), file: file)
    let version = try json.required("format_version").integer()
    guard (1...Self.currentFormat).contains(version) else {
      throw Diagnostic.input(
        "the cache has format version \(version), this program knows 1 to \(Self.currentFormat)", file: file,
        field: "format_version", remedy: "use the version of Decant that made it, or make it again")
    }
    let numerics = try json.required("numerics")
    let codec = try json.required("codec")
    let vocabularySize = try json.required("vocabulary_size").integer(in: 1...Int(Int32.max))
    self.init(
      teacher: try json.required("teacher").fingerprint(), teacherPath: try json.required("teacher_path").string(),
      precision: try version == 1 ? numerics.string() : numerics.required("precision").string(), kernels: "",
      tokenizer: try json.required("tokenizer").fingerprint(),
      codec: try SignalCodec(identifier: codec.string()) { codec.diagnostic($0) },
      topK: try json.required("top_k").integer(in: 1...vocabularySize), vocabularySize: vocabularySize,
      selection: try version == 1 ? "all" : json.required("selection").string(),
      columns: try version == 1 ? [] : json.required("columns").elements().map { try $0.string() },
      endOfText: try json.optional("end_of_text").map { Int32(try $0.integer(in: 0...Int(Int32.max))) })
    if let list = try json.optional("column_declarations") {
      let declared = try list.elements().map { try ColumnDeclaration($0) }
      guard Set(declared.map(\.name)).count == declared.count, declared.allSatisfy({ columns.contains($0.name) }) else {
        throw list.diagnostic("must declare columns that are there, none twice")
      }
      declare(declared)
    }
    chat = try json.optional("chat")?.object()
    origin = try json.optional("origin")?.object()
    mixtures = try json.optional("mixtures")?.object()
    twins = try json.optional("twins")?.object()
    formatVersion = version
    kernels = []
    if version > 1 {
      let list = try numerics.required("kernels")
      kernels = try list.elements().map { try $0.string() }
      guard !kernels.isEmpty, Set(kernels).count == kernels.count else {
        throw list.diagnostic("must name the kernels that made the cache, none twice")
      }
    }
    let list = try json.required("shards")
    stores = try list.elements().map { try $0.string() }
    // Names come from a file: they must not lead out of the folder.
    guard !stores.isEmpty, stores.allSatisfy(File.isPlainName) else {
      throw list.diagnostic("must name at least one folder inside the cache")
    }
    // Last, so that what is wrong by itself is named by its field.
    try Self.checkSum(of: json, file: file, isOptional: version == 1)
  }

  /// - Parameter isOptional: Whether the manifest may be of a version that had no checksum: it has no fields then but the
  ///   first ones, since another one is the damaged name of one of today's.
  private static func checkSum(of json: JSONField, file: String, isOptional: Bool) throws {
    guard var object = json.value.objectValue else { return }
    let remedy = "restore \(fileName) from a copy, or take the change back; the records are untouched"
    guard let stored = try json.optional("checksum") else {
      let other = object.keys.first { !firstFields.contains($0) }
      guard !isOptional || other != nil else { return }
      throw Diagnostic.input(
        "the manifest was damaged or edited: it has no checksum"
          + (other.map { ", and the field \($0.debugDescription)" } ?? ""), file: file, field: "checksum",
        remedy: remedy)
    }
    object["checksum"] = nil
    let computed = checksum(of: object)
    guard try stored.fingerprint() == computed else {
      throw stored.diagnostic(
        "is \(try stored.string()), but its fields give \(computed): the manifest was damaged or edited", remedy: remedy
      )
    }
  }

  /// What a manifest held before it had a checksum.
  private static let firstFields: Set = [
    "format_version", "teacher", "teacher_path", "numerics", "tokenizer", "codec", "top_k", "vocabulary_size", "shards",
  ]

  /// - Precondition: it is of the current format.
  func write(to directory: String) throws {
    precondition(formatVersion == Self.currentFormat, "a manifest of version \(formatVersion) is not written")
    var json: JSONObject = [
      "format_version": .integer(Int64(formatVersion)), "teacher": .string(teacher.description),
      "teacher_path": .string(teacherPath),
      "numerics": ["precision": .string(precision), "kernels": .array(kernels.map { .string($0) })],
      "tokenizer": .string(tokenizer.description), "codec": .string(codec.identifier), "top_k": .integer(Int64(topK)),
      "vocabulary_size": .integer(Int64(vocabularySize)), "selection": .string(selection),
      "columns": .array(columns.map { .string($0) }), "shards": .array(stores.map { .string($0) }),
    ]
    if !columnDeclarations.isEmpty { json["column_declarations"] = .array(columnDeclarations.map(\.json)) }
    if let endOfText { json["end_of_text"] = .integer(Int64(endOfText)) }
    if let chat { json["chat"] = .object(chat) }
    if let origin { json["origin"] = .object(origin) }
    if let mixtures { json["mixtures"] = .object(mixtures) }
    if let twins { json["twins"] = .object(twins) }
    json["checksum"] = .string(Self.checksum(of: json).description)
    try File.write(JSONValue.object(json).serialized(pretty: true), to: "\(directory)/\(Self.fileName)")
  }

  /// A fingerprint of all other fields.
  private static func checksum(of json: JSONObject) -> Fingerprint {
    Fingerprint(of: JSONValue.object(json).serialized())
  }
}
