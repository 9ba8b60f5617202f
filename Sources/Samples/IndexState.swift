import Diagnostics
import Files
import Fingerprints
import JSON

/// What an index says of itself: what it was made from, how far it has come, and the counts.
struct IndexState: Sendable, Equatable {
  static let format = "decant-sample-index/2"

  /// Where the walk over the rows goes on.
  struct Place: Sendable, Equatable {
    var file = 0
    var position = 0
    var line = 1
  }

  /// A file as it was when it was read.
  struct KnownFile: Sendable, Equatable {
    var identity: FileIdentity
    var content: Fingerprint
  }

  /// Names the data, how they are read and how rows become samples.
  var samples: Fingerprint
  var isComplete = false
  var next = Place()
  var counts = SampleCounts()
  /// Files whose content need not be read again to know its fingerprint.
  var files: [KnownFile] = []

  init(samples: Fingerprint) { self.samples = samples }

  // MARK: On disk

  func serialized() -> [UInt8] {
    var json: JSONObject = [
      "format": .string(Self.format), "samples": .string("\(samples)"), "complete": .bool(isComplete),
      "next": ["file": JSONValue(next.file), "position": JSONValue(next.position), "line": JSONValue(next.line)],
      "counts": .object(JSONObject(SampleCounts.fields.map { ($0.name, JSONValue(counts[keyPath: $0.path])) })),
      "files": .array(files.map(\.json)),
    ]
    json["checksum"] = .string("\(Self.checksum(of: json))")
    return JSONValue.object(json).serialized()
  }

  /// Reads what ``serialized()`` gave.
  ///
  /// - Throws: a `Diagnostic` that says of a state of another format or a damaged one what it is.
  init(_ bytes: [UInt8]) throws {
    let json = JSONField(try JSONValue.parse(bytes))
    let format = try json.required("format").string()
    guard format == Self.format else {
      throw Diagnostic.input("is of the format \(format), and this program writes \(Self.format)")
    }
    var object = try json.object()
    let stored = try json.required("checksum").string()
    object["checksum"] = nil
    guard stored == "\(Self.checksum(of: object))" else { throw Diagnostic.failure("has a state that is damaged") }
    samples = try json.required("samples").fingerprint()
    isComplete = try json.required("complete").bool()
    let place = try json.required("next")
    next = Place(
      file: try place.count("file"), position: try place.count("position"), line: try place.count("line"))
    let counts = try json.required("counts")
    for field in SampleCounts.fields { self.counts[keyPath: field.path] = try counts.count(field.name) }
    files = try json.required("files").elements().map(KnownFile.init)
  }

  private static func checksum(of json: JSONObject) -> Fingerprint {
    Fingerprint(of: JSONValue.object(json).serialized())
  }
}

extension JSONField {
  fileprivate func count(_ key: String) throws -> Int { try required(key).integer(in: 0...Int(Int64.max) >> 2) }
}

extension IndexState.KnownFile {
  /// The fields of the identity by name.
  fileprivate var json: JSONValue {
    [
      "device": .string("\(identity.place.device)"), "inode": .string("\(identity.place.inode)"),
      "size": JSONValue(identity.size), "modified": .string("\(identity.modified)"),
      "changed": .string("\(identity.changed)"), "content": .string("\(content)"),
    ]
  }

  fileprivate init(_ json: JSONField) throws {
    func number<Number: FixedWidthInteger>(_ key: String, _ type: Number.Type) throws -> Number {
      let field = try json.required(key)
      guard let number = Number(try field.string()) else { throw field.diagnostic("is no number") }
      return number
    }
    content = try json.required("content").fingerprint()
    identity = FileIdentity(
      place: .init(device: try number("device", UInt64.self), inode: try number("inode", UInt64.self)),
      size: try json.count("size"), modified: try number("modified", Int.self),
      changed: try number("changed", Int.self))
  }
}
