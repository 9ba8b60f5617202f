import Diagnostics
import Files
import JSON
import LMDB

/// The student's own outputs, scored by the teacher, in immutable numbered versions: stage three's product.
///
/// A folder with an LMDB environment. Any number of processes read while one ``ReplayWriter`` publishes; a version
/// appears complete or not at all, and one that a reader has opened stays until the reader is gone.
public final class ReplayStore: Sendable {
  static let formatVersion = 1

  public let directory: String
  let environment: Environment
  /// Version number -> its description in JSON; only complete versions are here.
  let versionTable: Database
  /// Version number, index -> sample; those of no complete version are leftovers.
  let sampleTable: Database
  /// Format version and the last version number given.
  let stateTable: Database

  static let formatKey = Array("format_version".utf8)
  static let lastKey = Array("last_version".utf8)

  /// Opens a store for reading.
  ///
  /// - Throws: a `Diagnostic` where there is no store, or one of another format.
  public convenience init(directory: String) throws { try self.init(directory: directory, readOnly: true) }

  init(directory: String, readOnly: Bool, mapSize: Int? = nil) throws {
    self.directory = directory
    let names = ["versions", "samples", "state"]
    environment = try Environment(
      folder: directory, .init(databases: names, readOnly: readOnly, mapSize: mapSize))
    versionTable = environment.database(names[0])
    sampleTable = environment.database(names[1])
    stateTable = environment.database(names[2])
    let format = try environment.read { transaction in
      try unsafe transaction.withValue(of: Self.formatKey, in: stateTable) { unsafe Key.number(in: $0) }
    }
    if let format, format != UInt64(Self.formatVersion) {
      throw Diagnostic.input(
        "the replay store has format version \(format.map(String.init) ?? "?"), this program knows \(Self.formatVersion)",
        file: directory, remedy: "use the version of Decant that made it, or name another folder")
    }
  }

  /// The complete versions, oldest first.
  public func versions() throws -> [ReplayVersion] {
    try environment.read { transaction in
      try transaction.withCursor(over: versionTable) { cursor in
        var versions: [ReplayVersion] = []
        try unsafe cursor.forEach { _, value in versions.append(try unsafe decode(value)) }
        return versions
      }
    }
  }

  /// The newest complete version, nil where there is none yet.
  public func latest() throws -> ReplayVersion? {
    try environment.read { transaction in
      try transaction.withCursor(over: versionTable) { try unsafe $0.last { _, value in try unsafe decode(value) } }
    }
  }

  /// Opens a version for reading and holds it.
  ///
  /// - Throws: a `Diagnostic` of category `input` that names the versions there are where this one is not among them.
  public func open(version number: Int) throws -> ReplayReader {
    // The hold comes first: what is there under it stays there.
    let pin = try number > 0 ? Pin(number, in: directory) : nil
    let version = try environment.read { transaction in
      try unsafe transaction.withValue(of: Key.number(UInt64(max(0, number))), in: versionTable) {
        try unsafe decode($0)
      }
    }
    guard let version, let pin else {
      let known = try versions().map { "\($0.number)" }.joined(separator: ", ")
      throw Diagnostic.input(
        "the replay store has no version \(number), only \(known.isEmpty ? "none yet" : known)", file: directory,
        remedy: "choose another version, or publish one with decant regenerate")
    }
    return ReplayReader(version: version, store: self, pin: pin)
  }

  private func decode(_ value: UnsafeRawBufferPointer) throws -> ReplayVersion {
    let file = "\(directory)/data.mdb"
    return try ReplayVersion(JSONField(try unsafe JSONValue.parse(value, file: file), file: file))
  }

  static func key(version: Int, index: Int) -> [UInt8] { Key.number(UInt64(version)) + Key.number(UInt64(index)) }
}

/// One version, held open: it does not change and is not pruned while this object lives.
public final class ReplayReader: Sendable {
  public let version: ReplayVersion
  private let store: ReplayStore
  private let pin: Pin

  init(version: ReplayVersion, store: ReplayStore, pin: Pin) {
    self.version = version
    self.store = store
    self.pin = pin
  }

  /// Number of samples.
  public var count: Int { version.sampleCount }

  /// One sample; any number of threads may ask at once.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the sample is damaged.
  /// - Precondition: `index` is in `0 ..< count`.
  public func sample(at index: Int) throws -> ReplaySample {
    precondition((0..<count).contains(index), "sample \(index) of version \(version.number), which has \(count)")
    do {
      let sample = try store.environment.read { transaction in
        try unsafe transaction.withValue(
          of: ReplayStore.key(version: version.number, index: index), in: store.sampleTable
        ) { try unsafe ReplaySample($0, version.origin) }
      }
      guard let sample else { throw Diagnostic.failure("the sample is gone, its version is not") }
      return sample
    } catch var diagnostic as Diagnostic {
      diagnostic.remedy = diagnostic.remedy ?? "prune this version and publish a new one"
      throw diagnostic.located(file: store.directory, field: "version \(version.number), sample \(index)")
    }
  }
}
