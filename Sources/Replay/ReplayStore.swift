import Diagnostics
import Files
import JSON
import LMDB

/// The student's own outputs, scored by the teacher, in immutable numbered versions: stage three's product.
///
/// A folder with an LMDB environment. Any number of processes read while one ``ReplayWriter`` publishes; a version
/// appears complete or not at all, and one that a reader has opened stays until the reader is gone. Reading takes no
/// permission to write; where the folder has no `pins.lock` yet and none may be made, nothing holds what is read.
public final class ReplayStore: Sendable {
  /// The version that is written; version 1 is read, and becomes this one with the first writer.
  static let formatVersion = 2

  public let directory: String
  let environment: Environment
  /// Version number -> its description in JSON; only complete versions are here.
  let versionTable: Database
  /// Version number, index -> sample; those of no complete version are leftovers.
  let sampleTable: Database
  /// Format version and the last version number given.
  let stateTable: Database
  let pins: Pins

  static let formatKey = Array("format_version".utf8)
  static let lastKey = Array("last_version".utf8)

  /// Whether a folder holds a store.
  public static func isThere(_ directory: String) -> Bool { File.exists("\(directory)/data.mdb") }

  /// Opens a store for reading.
  ///
  /// - Throws: a `Diagnostic` where there is no store, or one of another format.
  public convenience init(directory: String) throws { try self.init(directory: directory, readOnly: true) }

  init(directory: String, readOnly: Bool, mapSize: Int? = nil) throws {
    self.directory = directory
    pins = Pins(in: directory)
    let names = ["versions", "samples", "state"]
    environment = try Environment(
      folder: directory, .init(databases: names, readOnly: readOnly, mapSize: mapSize))
    versionTable = environment.database(names[0])
    sampleTable = environment.database(names[1])
    stateTable = environment.database(names[2])
    let format = try environment.read { transaction in
      try unsafe transaction.withValue(of: Self.formatKey, in: stateTable) { unsafe Key.number(in: $0) }
    }
    if let format, !(1...UInt64(Self.formatVersion)).contains(format ?? 0) {
      throw Diagnostic.input(
        "the replay store has format version \(format.map(String.init) ?? "?"), this program knows 1 to \(Self.formatVersion)",
        file: directory, remedy: "use the version of Decant that made it, or name another folder")
    }
  }

  /// The complete versions, oldest first.
  ///
  /// - Throws: a `Diagnostic` that names the version whose description is damaged.
  public func versions() throws -> [ReplayVersion] {
    try environment.read { transaction in
      try transaction.withCursor(over: versionTable) { cursor in
        var versions: [ReplayVersion] = []
        try unsafe cursor.forEach { key, value in try versions.append(unsafe decode(value, under: number(key))) }
        return versions
      }
    }
  }

  /// Numbers of the complete versions, ascending, whatever their descriptions say.
  func numbers() throws -> [Int] {
    try environment.read { transaction in
      try transaction.withCursor(over: versionTable) { cursor in
        var numbers: [Int] = []
        try unsafe cursor.forEach { key, _ in try numbers.append(unsafe number(key)) }
        return numbers
      }
    }
  }

  /// The newest complete version, nil where there is none yet.
  public func latest() throws -> ReplayVersion? {
    try environment.read { transaction in
      try transaction.withCursor(over: versionTable) {
        try unsafe $0.last { key, value in try unsafe decode(value, under: number(key)) }
      }
    }
  }

  /// Opens a version for reading and holds it.
  ///
  /// - Throws: a `Diagnostic` of category `input` that names the versions there are where this one is not among them.
  public func open(version number: Int) throws -> ReplayReader {
    guard (1...ReplayVersion.largestNumber).contains(number) else { throw try absent(number) }
    // The hold comes first: what is there under it stays there.
    try pins.hold(number)
    do {
      guard let version = try version(number) else { throw try absent(number) }
      return ReplayReader(version: version, store: self)
    } catch {
      pins.release(number)
      throw error
    }
  }

  /// The description of a version, nil where it is not there.
  ///
  /// - Throws: a `Diagnostic` where it is damaged.
  public func version(_ number: Int) throws -> ReplayVersion? {
    try environment.read { transaction in
      try unsafe transaction.withValue(of: Key.number(UInt64(number)), in: versionTable) {
        try unsafe decode($0, under: number)
      }
    }
  }

  private func absent(_ number: Int) throws -> Diagnostic {
    let known = try numbers().map(String.init)
    let list = known.count > 8 ? "\(known[0]) to \(known[known.count - 1])" : known.joined(separator: ", ")
    return .input(
      "the replay store has no version \(number), only \(known.isEmpty ? "none yet" : list)", file: directory,
      remedy: "choose another version, or publish one with decant regenerate")
  }

  /// The number that a key of ``versionTable`` stands for.
  private func number(_ key: UnsafeRawBufferPointer) throws -> Int {
    if key.count == 8, let number = unsafe Key.number(in: key).flatMap(Int.init(exactly:)),
      (1...ReplayVersion.largestNumber).contains(number)
    {
      return number
    }
    throw Diagnostic.failure(
      "the list of versions is damaged", file: "\(directory)/data.mdb", remedy: "publish into another folder")
  }

  func decode(_ value: UnsafeRawBufferPointer, under number: Int) throws -> ReplayVersion {
    let file = "\(directory)/data.mdb"
    do {
      let version = try ReplayVersion(JSONField(try unsafe JSONValue.parse(value, file: file), file: file))
      guard version.number == number else {
        throw Diagnostic.failure("is \(version.number) under the key \(number)", field: "number")
      }
      return version
    } catch let fault as Diagnostic {
      throw Diagnostic.failure(
        "the description is damaged: \(fault.message)", file: file,
        field: "version \(number)" + (fault.field.map { ", \($0)" } ?? ""), remedy: Self.removal(of: number))
    }
  }

  /// One sample of a version.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the sample is damaged or gone.
  func sample(version number: Int, index: Int, topK: Int, vocabularySize: Int) throws -> ReplaySample {
    do {
      let sample = try environment.read { transaction in
        try unsafe transaction.withValue(of: Self.key(version: number, index: index), in: sampleTable) {
          try unsafe ReplaySample($0, topK: topK, vocabularySize: vocabularySize)
        }
      }
      guard let sample else { throw Diagnostic.failure("the sample is gone, its version is not") }
      return sample
    } catch var diagnostic as Diagnostic {
      diagnostic.remedy = diagnostic.remedy ?? Self.removal(of: number)
      throw diagnostic.located(file: directory, field: "version \(number), sample \(index)")
    }
  }

  static func removal(of version: Int) -> String {
    "remove the version with decant replay prune --only \(version), and publish it again where it is still wanted"
  }

  static func key(version: Int, index: Int) -> [UInt8] { Key.number(UInt64(version)) + Key.number(UInt64(index)) }
}

/// One version, held open: it does not change and is not pruned while this object lives.
public final class ReplayReader: Sendable {
  public let version: ReplayVersion
  private let store: ReplayStore

  /// Takes over one hold on the version.
  init(version: ReplayVersion, store: ReplayStore) {
    self.version = version
    self.store = store
  }

  deinit { store.pins.release(version.number) }

  /// Number of samples.
  public var count: Int { version.sampleCount }

  /// One sample; any number of threads may ask at once.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the sample is damaged.
  /// - Precondition: `index` is in `0 ..< count`.
  public func sample(at index: Int) throws -> ReplaySample {
    precondition((0..<count).contains(index), "sample \(index) of version \(version.number), which has \(count)")
    return try store.sample(
      version: version.number, index: index, topK: version.origin.topK, vocabularySize: version.origin.vocabularySize)
  }
}
