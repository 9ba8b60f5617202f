import Diagnostics
import Files
import Fingerprints
import JSON
import LMDB
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
    try store.environment.write { transaction in
      try transaction.put(
        Key.number(UInt64(ReplayStore.formatVersion)), for: ReplayStore.formatKey, in: store.stateTable)
      try Self.removeSamples(from: try store.lastNumber(transaction) + 1, upTo: .max, in: store, &transaction)
    }
  }

  /// Publishes the next version: `body` adds the samples, over as many transactions as it likes, and when it returns
  /// the version becomes visible in the last one. Where `body` throws, nothing becomes visible and nothing is left.
  ///
  /// - Throws: what `body` throws, or a `Diagnostic`, such as of a full disk.
  @discardableResult
  public func publish(
    _ origin: ReplayOrigin, _ body: (inout ReplayPublication) throws -> Void
  ) throws -> ReplayVersion {
    let number = try store.environment.read { try store.lastNumber($0) } + 1
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
    var pruned = Pruned(removed: [], held: [])
    for version in try store.versions().dropLast(keep) {
      let removed = try Pin.whileFree(version.number, in: store.directory) {
        try store.environment.write { transaction in
          try transaction.remove(Key.number(UInt64(version.number)), from: store.versionTable)
          try Self.removeSamples(from: version.number, upTo: version.number + 1, in: store, &transaction)
        }
      }
      if removed { pruned.removed.append(version.number) } else { pruned.held.append(version.number) }
    }
    return pruned
  }

  /// Takes back all versions after `number`, so that the next one is `number + 1` again: for a run that resumes from a
  /// checkpoint older than they are, and will publish them again with the same content.
  ///
  /// - Throws: a `Diagnostic` where somebody reads one of them; it and those before it then stand.
  public func rollBack(to number: Int) throws {
    for version in try store.versions().map(\.number).reversed() where version > number {
      let removed = try Pin.whileFree(version, in: store.directory) {
        try store.environment.write { transaction in
          try transaction.remove(Key.number(UInt64(version)), from: store.versionTable)
          try Self.removeSamples(from: version, upTo: version + 1, in: store, &transaction)
          try transaction.put(Key.number(UInt64(version - 1)), for: ReplayStore.lastKey, in: store.stateTable)
        }
      }
      guard removed else {
        throw Diagnostic.input(
          "version \(version) is to be taken back, but somebody reads it", file: store.directory,
          remedy: "stop the reader and run the same command again")
      }
    }
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
      tokens += sample.scored.tokenIDs.count
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
  /// The last version number that became visible, pruned or not; 0 before the first.
  func lastNumber(_ transaction: borrowing some Transaction & ~Copyable) throws -> Int {
    try unsafe transaction.withValue(of: Self.lastKey, in: stateTable) { unsafe Int(Key.number(in: $0) ?? 0) } ?? 0
  }
}
