import Diagnostics
import Files
public import Fingerprints
import JSON
import Telemetry

/// What a result was made from, part by part, each named by its content: the one rule by which a run folder, an output or
/// a pipeline's product is gone on with or refused.
///
/// It is written beside the result before anything else of it. Whoever goes on with the result compares every part; one
/// that has changed is refused with both values. Paths are kept for people and never compared: a moved file is the same
/// file.
public struct Provenance: Sendable, Equatable {
  /// One thing that the result depends on.
  public struct Part: Sendable, Equatable {
    /// Such as `data.train` or `tokenizer`.
    public var name: String
    /// A fingerprint, or a setting's own text.
    public var content: String
    /// Where it lay, for people.
    public var place: String?
  }

  /// A part that was changed on purpose while the result was being made.
  public struct Change: Sendable, Equatable {
    public var part: String
    public var before: String
    public var now: String
    /// What had been done with the earlier one, such as `step 20`.
    public var after: String
  }

  static let formatVersion = 1

  public private(set) var parts: [Part] = []
  public private(set) var acceptedChanges: [Change] = []

  public init() {}

  /// The part of a name, nil where there is none.
  public subscript(name: String) -> Part? { parts.first { $0.name == name } }

  /// Adds a part, or replaces the one of that name.
  ///
  /// - Parameter content: A text whose form is documented where it is made: never what a debugger would show.
  public mutating func pin(_ name: String, _ content: String, place: String? = nil) {
    let part = Part(name: name, content: content, place: place)
    if let index = parts.firstIndex(where: { $0.name == name }) { parts[index] = part } else { parts.append(part) }
  }

  /// Adds a part by its fingerprint, in hexadecimal digits.
  public mutating func pin(_ name: String, _ content: Fingerprint, place: String? = nil) {
    pin(name, content.description, place: place)
  }

  /// Adds a number, in decimal digits.
  public mutating func pin(_ name: String, _ content: some FixedWidthInteger) { pin(name, String(content)) }

  /// Adds a file by its bytes.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read.
  public mutating func pin(_ name: String, file: String) throws {
    pin(name, try Fingerprint(ofFile: file), place: file)
  }

  /// Adds the kernels in use. Another machine may go on with a result: that is told, not refused.
  public mutating func pin(engine variant: String) { pin(Self.engine, variant) }

  private static let engine = "engine"

  // MARK: Comparing

  /// How the order of samples is drawn.
  package static let order = "data.order"
  /// What a part was where an earlier version did not name it.
  private static let unnamed = [order: "list/1"]

  /// The parts that differ; of those that only one names, such as have a value where they are not named.
  package func differences(from now: Provenance) -> [(before: Part, now: Part)] {
    now.parts.compactMap { part in
      let before = self[part.name] ?? Self.unnamed[part.name].map { Part(name: part.name, content: $0) }
      guard let before, before.content != part.content else { return nil }
      return (before, part)
    }
  }

  /// The parts that differ and must not.
  package func changes(in now: Provenance) -> [(before: Part, now: Part)] {
    differences(from: now).filter { $0.now.name != Self.engine }
  }

  /// Refuses to go on with a result that was made from something else; tells of other kernels.
  ///
  /// - Parameters:
  ///   - now: What it would be gone on with.
  ///   - file: Where this was read from.
  ///   - remedy: What to do about it.
  /// - Throws: a `Diagnostic` of category `input` that names every part that differs, with both values.
  public func check(_ now: Provenance, file: String, remedy: String) throws {
    if let before = self[Self.engine], let engine = now[Self.engine], before.content != engine.content {
      Log.warning(
        "\(file): begun with \(before.content), gone on with \(engine.content): these round differently, so the result is "
          + "not that of either alone")
    }
    let differing = changes(in: now)
    guard let first = differing.first else { return }
    let list = differing.map { "\($0.now.name) is \(Self.text($0.now)) now, \(Self.text($0.before)) then" }
    throw Diagnostic.input(
      "it was begun with something else: \(list.joined(separator: "; "))", file: file, field: first.now.name,
      remedy: remedy)
  }

  /// This one with the parts of a later sitting, whose changes are kept on record.
  package func accepting(_ now: Provenance, after: String) -> Provenance {
    var merged = self
    for (before, part) in differences(from: now) {
      merged.acceptedChanges.append(
        Change(part: part.name, before: before.content, now: part.content, after: after))
    }
    for part in now.parts { merged.pin(part.name, part.content, place: part.place) }
    return merged
  }

  private static func text(_ part: Part) -> String {
    part.place.map { "\(part.content) (\($0))" } ?? "\(part.content)"
  }
}

// MARK: - On disk

extension Provenance {
  /// Reads one; nil where there is none.
  ///
  /// - Throws: a `Diagnostic` where the file is damaged or of another format.
  public init?(path: String) throws {
    guard File.exists(path) else { return nil }
    let json = JSONField(try JSONValue.parse(try File.read(path), file: path), file: path)
    let version = try json.required("format_version").integer()
    guard version == Self.formatVersion else {
      throw Diagnostic.input(
        "has format version \(version), this program knows \(Self.formatVersion)", file: path, field: "format_version",
        remedy: "go on with the version of Decant that wrote it")
    }
    for (name, field) in try json.required("parts").members() {
      pin(name, try field.required("content").string(), place: try field.optional("place")?.string())
    }
    acceptedChanges =
      try json.optional("accepted_changes")?.elements().map { change in
        Change(
          part: try change.required("part").string(), before: try change.required("before").string(),
          now: try change.required("now").string(), after: try change.required("after").string())
      } ?? []
  }

  /// Writes it, whole or not at all.
  public func write(to path: String) throws {
    var named = JSONObject()
    for part in parts {
      var object: JSONObject = ["content": .string(part.content)]
      if let place = part.place { object["place"] = .string(place) }
      named[part.name] = .object(object)
    }
    var json: JSONObject = ["format_version": .integer(Int64(Self.formatVersion)), "parts": .object(named)]
    if !acceptedChanges.isEmpty {
      json["accepted_changes"] = .array(
        acceptedChanges.map {
          ["part": .string($0.part), "before": .string($0.before), "now": .string($0.now), "after": .string($0.after)]
        })
    }
    try File.write(JSONValue.object(json).serialized(pretty: true) + [UInt8(ascii: "\n")], to: path)
  }
}

extension Fingerprint {
  /// The fingerprint of a file's bytes.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read.
  public init(ofFile path: String) throws {
    let file = try MappedFile(path: path)
    self = unsafe Fingerprint(of: file.bytes)
  }

  /// The fingerprint of a model folder by the bytes of what a model is read from: configurations, weights and the
  /// tokenizer's files, by name; what lies beside them does not count. Of a model in one file, that file's.
  ///
  /// - Throws: a `Diagnostic` where one of them cannot be read.
  public init(ofModelFolder directory: String) throws {
    guard File.isFolder(directory) else {
      try self.init(ofFile: directory)
      return
    }
    let suffixes = [".json", ".safetensors", ".model", ".txt", ".jinja"]
    let others: Set = ["trainer_state.json", "optimizer.safetensors", "checksums.json", "made_from.json"]
    let names = try File.list(directory).filter { name in
      suffixes.contains(where: name.hasSuffix) && !others.contains(name) && !File.isFolder("\(directory)/\(name)")
    }
    let lines = try names.map { "\($0) \(try Fingerprint(ofFile: "\(directory)/\($0)"))" }
    self.init(of: lines.joined(separator: "\n"))
  }
}
