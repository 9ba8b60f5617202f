import Diagnostics
import Files
public import Fingerprints
import JSON
public import Sequences
public import TeacherSignal

/// What a cache was made from: `manifest.json` in its folder. Everything but the paths enters the key of each sample, so
/// signals of another teacher, tokenizer or precision can never be taken for these.
public struct CacheManifest: Sendable, Equatable {
  static let formatVersion = 1
  static let fileName = "manifest.json"

  /// Fingerprint of the teacher's configuration and weights.
  public var teacher: Fingerprint
  /// Where the teacher was, for people; a moved teacher is the same teacher.
  public var teacherPath: String
  /// How the teacher was run, such as `fp32`.
  public var numerics: String
  /// Fingerprint of the tokenizer's file.
  public var tokenizer: Fingerprint
  public var codec: SignalCodec
  public var topK: Int
  /// Number of ids the teacher's distribution is over.
  public var vocabularySize: Int
  /// The token that ends the responses; nil where there are none, and in caches that do not say.
  public var endOfText: Int32?
  /// Folders of the LMDB environments, inside the cache's own.
  public internal(set) var shards: [String] = ["shard-0000"]

  public init(
    teacher: Fingerprint, teacherPath: String, numerics: String, tokenizer: Fingerprint, codec: SignalCodec, topK: Int,
    vocabularySize: Int, endOfText: Int32? = nil
  ) {
    precondition(
      (1...vocabularySize).contains(topK), "top-k \(topK) does not fit a vocabulary of \(vocabularySize) tokens")
    self.teacher = teacher
    self.teacherPath = teacherPath
    self.numerics = numerics
    self.tokenizer = tokenizer
    self.codec = codec
    self.topK = topK
    self.vocabularySize = vocabularySize
    self.endOfText = endOfText
  }

  /// The name of a sample's signal: a fingerprint over what made it (teacher, numerics, tokenizer, codec, top-k,
  /// vocabulary) and what it is of (first scored position, token ids). Equal samples share one.
  public func key(_ sequence: TokenSequence) -> Fingerprint {
    let tokenIDs = sequence.tokenIDs
    let first = sequence.scoredPositions.runs.first?.lowerBound ?? max(tokenIDs.count, 1) - 1
    var bytes = Array("\(teacher) \(numerics) \(tokenizer) \(codec.identifier) \(topK) \(vocabularySize)\n".utf8)
    bytes.reserveCapacity(bytes.count + 4 * tokenIDs.count + 4)
    for value in [Int32(first)] + tokenIDs {
      for shift in stride(from: Int32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
    return Fingerprint(of: bytes)
  }
}

// MARK: - On disk

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
    guard version == Self.formatVersion else {
      throw Diagnostic.input(
        "the cache has format version \(version), this program knows \(Self.formatVersion)", file: file,
        field: "format_version", remedy: "use the version of Decant that made it, or make it again")
    }
    let vocabularySize = try json.required("vocabulary_size").integer(in: 1...Int(Int32.max))
    self.init(
      teacher: try json.required("teacher").fingerprint(), teacherPath: try json.required("teacher_path").string(),
      numerics: try json.required("numerics").string(), tokenizer: try json.required("tokenizer").fingerprint(),
      codec: try json.required("codec").codec(), topK: try json.required("top_k").integer(in: 1...vocabularySize),
      vocabularySize: vocabularySize,
      endOfText: try json.optional("end_of_text").map { Int32(try $0.integer(in: 0...Int(Int32.max))) })
    let list = try json.required("shards")
    shards = try list.elements().map { try $0.string() }
    // Names come from a file: they must not lead out of the folder.
    guard !shards.isEmpty, shards.allSatisfy(File.isPlainName) else {
      throw list.diagnostic("must name at least one folder inside the cache")
    }
    // Last, so that what is wrong by itself is named by its field. Caches of earlier versions have none, and no field but
    // these: another one is the damaged name of one of today's.
    guard var object = json.value.objectValue else { return }
    guard let stored = try json.optional("checksum") else {
      guard let other = object.keys.first(where: { !Self.firstFields.contains($0) }) else { return }
      throw Diagnostic.input(
        "the manifest was damaged or edited: it has no checksum, and the field \(other.debugDescription)", file: file,
        field: "checksum",
        remedy: "restore \(Self.fileName) from a copy, or take the change back; the records are untouched")
    }
    object["checksum"] = nil
    let computed = Self.checksum(of: object)
    guard try stored.fingerprint() == computed else {
      throw stored.diagnostic(
        "is \(try stored.string()), but its fields give \(computed): the manifest was damaged or edited",
        remedy: "restore \(Self.fileName) from a copy, or take the change back; the records are untouched")
    }
  }

  /// What a manifest held before it had a checksum.
  private static let firstFields: Set = [
    "format_version", "teacher", "teacher_path", "numerics", "tokenizer", "codec", "top_k", "vocabulary_size", "shards",
  ]

  func write(to directory: String) throws {
    var json: JSONObject = [
      "format_version": .integer(Int64(Self.formatVersion)), "teacher": .string(teacher.description),
      "teacher_path": .string(teacherPath), "numerics": .string(numerics),
      "tokenizer": .string(tokenizer.description), "codec": .string(codec.identifier),
      "top_k": .integer(Int64(topK)), "vocabulary_size": .integer(Int64(vocabularySize)),
      "shards": .array(shards.map { .string($0) }),
    ]
    if let endOfText { json["end_of_text"] = .integer(Int64(endOfText)) }
    json["checksum"] = .string(Self.checksum(of: json).description)
    try File.write(JSONValue.object(json).serialized(pretty: true), to: "\(directory)/\(Self.fileName)")
  }

  /// A fingerprint of all other fields.
  private static func checksum(of json: JSONObject) -> Fingerprint {
    Fingerprint(of: JSONValue.object(json).serialized())
  }

  /// Refuses a cache that was made from something else than is wanted now.
  ///
  /// - Throws: a `Diagnostic` of category `input` that names every difference with both values.
  public func check(wanted: CacheManifest, directory: String) throws {
    let pairs = [
      (
        "teacher", "\(teacher) (\(teacherPath))", "\(wanted.teacher) (\(wanted.teacherPath))", teacher == wanted.teacher
      ),
      ("numerics", numerics, wanted.numerics, numerics == wanted.numerics),
      ("tokenizer", "\(tokenizer)", "\(wanted.tokenizer)", tokenizer == wanted.tokenizer),
      ("codec", codec.identifier, wanted.codec.identifier, codec == wanted.codec),
      ("top_k", "\(topK)", "\(wanted.topK)", topK == wanted.topK),
      (
        "end_of_text", "\(endOfText.map { "\($0)" } ?? "none")", "\(wanted.endOfText.map { "\($0)" } ?? "none")",
        endOfText == nil || wanted.endOfText == nil || endOfText == wanted.endOfText
      ),
      (
        "vocabulary_size", "\(vocabularySize)", "\(wanted.vocabularySize)", vocabularySize == wanted.vocabularySize
      ),
    ]
    let differences = pairs.filter { !$0.3 }
    guard let first = differences.first else { return }
    throw Diagnostic.input(
      "the cache was made from something else: "
        + differences.map { "\($0.0) is \($0.1) in the cache, \($0.2) now" }.joined(separator: "; "),
      file: "\(directory)/\(Self.fileName)", field: first.0,
      remedy: "name another cache folder, or give the \(differences.map(\.0).joined(separator: ", ")) it was made with")
  }
}

extension JSONField {
  func fingerprint() throws -> Fingerprint {
    guard let fingerprint = Fingerprint(try string()) else { throw diagnostic("must be 32 hexadecimal digits") }
    return fingerprint
  }

  func codec() throws -> SignalCodec {
    let name = try string()
    guard let codec = SignalCodec.allCases.first(where: { $0.identifier == name }) else {
      throw diagnostic(
        "names the codec \(name), which is none of \(SignalCodec.allCases.map(\.identifier).joined(separator: ", "))")
    }
    return codec
  }
}
