import Diagnostics
import Files
import Fingerprints
import Glibc
import JSON
import LMDB
import Sequences
import TeacherSignal

/// The one process that publishes to a replay store and prunes it. A lock on the folder, gone with the process, keeps a
/// second one out.
public final class ReplayWriter: Sendable {
  /// The store, for readers of this process.
  public let store: ReplayStore
  private let lock: FileLock

  /// Opens a store to publish to, or makes one; removes what a publication that never finished left behind.
  ///
  /// - Parameter mapSize: Address space for the store in bytes; nil takes all that is needed.
  /// - Throws: a `Diagnostic` where another process writes to it, or it is of another format.
  public init(directory: String, mapSize: Int? = nil) throws {
    try File.makeFolder(directory)
    lock = try FileLock(path: "\(directory)/writer.lock", owner: "the replay store")
    store = try ReplayStore(directory: directory, readOnly: false, mapSize: mapSize)
    try Pins.prepare(in: directory)
    try store.environment.write { transaction in
      try transaction.put(
        Key.number(UInt64(ReplayStore.formatVersion)), for: ReplayStore.formatKey, in: store.stateTable)
      let last = try store.lastNumber(transaction)
      try transaction.put(Key.number(UInt64(last)), for: ReplayStore.lastKey, in: store.stateTable)
      try Self.removeSamples(from: last + 1, upTo: .max, in: store, &transaction)
    }
    try Self.removeOldPins(in: directory)
  }

  /// Versions of Decant before `pins.lock` held versions by a file each.
  private static func removeOldPins(in directory: String) throws {
    let folder = "\(directory)/pins"
    guard FileKind(at: folder, following: false) == .folder else { return }
    for name in try File.list(folder) where name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      try File.remove("\(folder)/\(name)")
    }
    if try File.list(folder).isEmpty { try File.remove(folder) }
  }

  /// Refuses what ``publish(_:_:)`` would refuse, before the samples are made.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the newest version has another tokenizer, end of text or
  ///   vocabulary, with both values.
  public func check(_ origin: ReplayOrigin) throws {
    guard let newest = try store.latest() else { return }
    try origin.requireSameIDs(as: newest.origin, version: newest.number, directory: store.directory)
  }

  /// Publishes the next version: `body` adds the samples, over as many transactions as it likes, and when it returns
  /// the version becomes visible in the last one. Where `body` throws, nothing becomes visible and nothing is left.
  ///
  /// - Throws: what `body` throws, or a `Diagnostic`, such as of a full disk, or as ``check(_:)``.
  @discardableResult
  public func publish(
    _ origin: ReplayOrigin, _ body: (inout ReplayPublication) throws -> Void
  ) throws -> ReplayVersion {
    try check(origin)
    let number = try store.environment.read { try store.lastNumber($0) } + 1
    try removeLeftovers(of: number)
    var publication = ReplayPublication(number: number, origin: origin, store: store)
    do {
      try body(&publication)
      let version = publication.version
      try store.environment.write { transaction in
        try transaction.put(version.json.serialized(), for: Key.number(UInt64(number)), in: store.versionTable)
        try transaction.put(Key.number(UInt64(number)), for: ReplayStore.lastKey, in: store.stateTable)
      }
      return version
    } catch {
      // Best effort: what cannot be removed now is removed when the store is opened for writing again.
      try? store.environment.write { transaction in
        try Self.removeSamples(from: number, upTo: number + 1, in: store, &transaction)
      }
      throw error
    }
  }

  /// What a prune did.
  public struct Pruned: Sendable, Equatable {
    public var removed: [Int]
    /// Versions that were due but stay, because somebody reads them.
    public var held: [Int]
  }

  /// Removes all versions but the newest `keep` and those that somebody reads. Their space is used again by later
  /// versions; the file does not shrink.
  ///
  /// - Precondition: `keep` is not negative.
  @discardableResult
  public func prune(keep: Int) throws -> Pruned {
    precondition(keep >= 0, "cannot keep \(keep) versions")
    return try prune(store.numbers().dropLast(keep))
  }

  /// Removes one version, such as one that is damaged, unless somebody reads it.
  ///
  /// - Throws: a `Diagnostic` of category `input` where there is no such version.
  @discardableResult
  public func prune(version: Int) throws -> Pruned {
    let key = Key.number(UInt64(max(0, version)))
    guard try store.environment.read({ try $0.contains(key, in: store.versionTable) }) else {
      throw Diagnostic.input(
        "the replay store has no version \(version)", file: store.directory,
        remedy: "list the versions with decant replay info")
    }
    return try prune([version])
  }

  /// Removes versions in their order, each in a transaction of its own, unless somebody reads them.
  func prune(_ versions: some Sequence<Int>) throws -> Pruned {
    var pruned = Pruned(removed: [], held: [])
    for version in versions {
      let removed = try Pins.whileFree(version, in: store.directory) {
        try store.environment.write { transaction in try Self.remove(version, from: store, &transaction) }
      }
      if removed { pruned.removed.append(version) } else { pruned.held.append(version) }
    }
    return pruned
  }

  /// Takes back all versions after `number`, so that the next one is `number + 1` again: for a run that resumes from a
  /// checkpoint older than they are, and will publish them again with the same content.
  ///
  /// - Throws: a `Diagnostic` where the store never got as far as `number`, or somebody reads a version that is to go; it
  ///   and those before it then stand.
  public func rollBack(to number: Int) throws {
    let last = try store.environment.read { try store.lastNumber($0) }
    guard number <= last else {
      throw Diagnostic.failure(
        "the last version is \(last), but the run has published \(number)", file: store.directory,
        remedy: "put the run's own replay folder back, or resume from a checkpoint before version \(last + 1)")
    }
    for version in try store.numbers().reversed() where version > number {
      let removed = try Pins.whileFree(version, in: store.directory) {
        try store.environment.write { transaction in
          try Self.remove(version, from: store, &transaction)
          try transaction.put(Key.number(UInt64(version - 1)), for: ReplayStore.lastKey, in: store.stateTable)
        }
      }
      guard removed else {
        throw Diagnostic.input(
          "version \(version) is to be taken back, but somebody reads it", file: store.directory,
          remedy: "stop the reader and run the same command again")
      }
    }
    guard number < last else { return }
    // Also where the last ones had been pruned: the run gives their numbers again.
    try store.environment.write { transaction in
      try transaction.put(Key.number(UInt64(number)), for: ReplayStore.lastKey, in: store.stateTable)
    }
  }

  /// What a publication of this process left when not even taking it back worked, as on a full disk.
  private func removeLeftovers(of number: Int) throws {
    let first = ReplayStore.key(version: number, index: 0)
    let some = try store.environment.read { transaction in
      try transaction.withCursor(over: store.sampleTable) { cursor in
        cursor.seek(first)
        return try unsafe cursor.next { _, _ in true } ?? false
      }
    }
    guard some else { return }
    try store.environment.write { transaction in
      try Self.removeSamples(from: number, upTo: .max, in: store, &transaction)
    }
  }

  private static func remove(_ version: Int, from store: ReplayStore, _ transaction: inout WriteTransaction) throws {
    try transaction.remove(Key.number(UInt64(version)), from: store.versionTable)
    try removeSamples(from: version, upTo: version + 1, in: store, &transaction)
  }

  private static func removeSamples(
    from first: Int, upTo end: Int, in store: ReplayStore, _ transaction: inout WriteTransaction
  ) throws {
    try transaction.remove(
      from: ReplayStore.key(version: first, index: 0), upTo: ReplayStore.key(version: end, index: 0),
      in: store.sampleTable)
  }
}

/// A version in the making, lent by ``ReplayWriter/publish(_:_:)``.
public struct ReplayPublication: ~Copyable {
  /// The number the version will have.
  public let number: Int
  private let origin: ReplayOrigin
  private let store: ReplayStore
  private var count = 0
  private var tokens = 0
  private var positions = 0
  private var endedByEOS = 0
  private var content = Fingerprint(of: [])

  init(number: Int, origin: ReplayOrigin, store: ReplayStore) {
    self.number = number
    self.origin = origin
    self.store = store
  }

  /// Adds samples behind those that are there, in one transaction.
  ///
  /// - Throws: a `Diagnostic` where a signal is not valid, or of the store; the publication is then to be given up.
  /// - Precondition: every signal has the top-k of the origin.
  public mutating func append(_ samples: [ReplaySample]) throws {
    let encoded = try samples.map { try $0.encoded(origin) }
    let first = count, number = number, table = store.sampleTable
    try store.environment.write { transaction in
      for (index, bytes) in encoded.enumerated() {
        try transaction.put(bytes, for: ReplayStore.key(version: number, index: first + index), in: table)
      }
    }
    for (sample, bytes) in zip(samples, encoded) {
      count += 1
      tokens += sample.scored.sequence.count
      positions += sample.scored.signal.positionCount
      endedByEOS += sample.endedByEOS ? 1 : 0
      content = Fingerprint(of: content.bytes + bytes.prefix(16))
    }
  }

  fileprivate var version: ReplayVersion {
    ReplayVersion(
      number: number, origin: origin, sampleCount: count, tokens: tokens, positions: positions, endedByEOS: endedByEOS,
      content: content, createdAt: ReplayVersion.now())
  }
}

extension ReplayStore {
  /// The last version number that became visible, pruned or not; 0 before the first. Never less than that of a version
  /// that is there, whatever the counter says: samples beyond the last are leftovers, and are removed.
  ///
  /// - Throws: a `Diagnostic` of category `failure` for a number that no store can have come to.
  func lastNumber(_ transaction: borrowing some Transaction & ~Copyable) throws -> Int {
    let counted = try unsafe transaction.withValue(of: Self.lastKey, in: stateTable) { unsafe Key.number(in: $0) }
    let newest = try transaction.withCursor(over: versionTable) { cursor in
      try unsafe cursor.last { key, _ in unsafe Key.number(in: key) }
    }
    let last = max((counted ?? nil) ?? 0, (newest ?? nil) ?? 0)
    guard last < UInt64(ReplayVersion.largestNumber) else {
      throw Diagnostic.failure(
        "the number of the last version is damaged: \(last)", file: "\(directory)/data.mdb", field: "last_version",
        remedy: "publish into another folder")
    }
    return Int(last)
  }
}
