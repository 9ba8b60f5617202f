import Diagnostics
import Files
public import Fingerprints
import LMDB
import Sequences
public import TeacherSignal

/// The one process that adds to a cache. A lock on the folder, gone with the process, keeps a second one out.
public final class LogitCacheWriter: Sendable {
  /// The cache as it grows; give it to readers of this process.
  public let cache: LogitCache
  public var manifest: CacheManifest { cache.manifest }
  private let lock: FileLock
  private var shard: Shard { cache.shards[cache.shards.count - 1] }

  /// Opens a cache to add to it, or makes one where the folder is missing or empty.
  ///
  /// - Parameter mapSize: Address space for the store in bytes; nil takes all that is needed.
  /// - Throws: a `Diagnostic` where another process writes to it, where its manifest differs from `manifest` (see
  ///   ``CacheManifest/check(wanted:directory:)``), or where the folder holds something else.
  public init(directory: String, manifest: CacheManifest, mapSize: Int? = nil) throws {
    try File.makeFolder(directory)
    let isNew = !File.exists("\(directory)/\(CacheManifest.fileName)")
    let temporary = "\(CacheManifest.fileName).tmp-"
    if isNew,
      let other = try File.list(directory).first(where: { $0 != Self.lockName && !$0.hasPrefix(temporary) })
    {
      throw Diagnostic.input(
        "is not a logit cache but holds \(other)", file: directory, remedy: "name an empty or a new folder")
    }
    lock = try Self.lock(directory)
    // What a process left that was killed while it wrote its manifest.
    for name in try File.list(directory) where name.hasPrefix(temporary) { try File.remove("\(directory)/\(name)") }
    if isNew { try manifest.write(to: directory) }
    let found = try CacheManifest(directory: directory)
    try found.check(wanted: manifest, directory: directory)
    for name in found.shards { try Shard.settle("\(directory)/\(name)") }
    let shards = try found.shards.map { try Shard(folder: "\(directory)/\($0)", readOnly: false, mapSize: mapSize) }
    cache = LogitCache(directory: directory, manifest: found, shards: shards)
  }

  private static let lockName = "writer.lock"

  /// Keeps every other writer out.
  static func lock(_ directory: String) throws -> FileLock {
    try FileLock(path: "\(directory)/\(lockName)", owner: "the logit cache")
  }

  /// Records which samples a data set has and in which order, before or after they are there. A plan of the same data
  /// set is replaced.
  ///
  /// - Parameter dataset: Fingerprint of the data and of how rows become samples.
  /// - Throws: a `Diagnostic`; the old plan then stands.
  public func setPlan(_ keys: [Fingerprint], of dataset: Fingerprint) throws {
    // A plan that cannot be read is replaced as any other.
    if (try? cache.plan(of: dataset)) == keys { return }
    try shard.environment.write { try shard.setPlan(keys, of: dataset, &$0) }
  }

  /// Adds samples in one transaction: records, index and totals appear together and durably, or not at all. Samples
  /// that are there already are skipped.
  ///
  /// Neighbours share records, so a batch should hold some thousand positions where it can.
  ///
  /// - Returns: The number of samples added.
  /// - Throws: a `Diagnostic` where a signal is not valid, or of the store, such as a full disk.
  /// - Precondition: every signal has the manifest's top-k.
  @discardableResult
  public func append(_ batch: [ScoredSample]) throws -> Int {
    var fresh: [Encoded] = [], seen = Set<Fingerprint>()
    for sample in batch {
      let key = manifest.key(sample.sequence)
      guard seen.insert(key).inserted, try !cache.contains(key) else { continue }
      precondition(
        sample.signal.topK == manifest.topK,
        "a signal of top-k \(sample.signal.topK) does not belong into a cache of top-k \(manifest.topK)")
      let payload = try manifest.codec.encode(sample, vocabularySize: manifest.vocabularySize)
      fresh.append(
        Encoded(
          key: key, payload: payload, tokens: sample.sequence.count, positions: sample.signal.positionCount))
    }
    if fresh.isEmpty { return 0 }
    try shard.environment.write { transaction in
      var start = 0, bytes = 0
      for index in fresh.indices {
        bytes += fresh[index].payload.count
        if bytes >= Record.targetBytes || index == fresh.count - 1 {
          try shard.put(fresh[start...index], &transaction)
          (start, bytes) = (index + 1, 0)
        }
      }
    }
    return fresh.count
  }
}

/// A sample ready to be stored.
struct Encoded {
  var key: Fingerprint
  var payload: [UInt8]
  var tokens: Int
  var positions: Int
}

extension Shard {
  /// Stores one record with its index entries and adds it to the totals.
  func put(_ samples: ArraySlice<Encoded>, _ transaction: inout WriteTransaction) throws {
    let number = try nextRecord(transaction)
    guard number < UInt64(1) << 56 else { throw damage("the last record has the number \(number - 1)") }
    let (bytes, slices) = Record.pack(samples.map { ($0.key, $0.payload) })
    try transaction.insert(bytes, for: Key.number(number), in: records)
    for slice in slices {
      let place = Place(record: number, offset: slice.offset, length: slice.length)
      try transaction.insert(place.bytes, for: slice.key.bytes, in: self.samples)
    }
    try add(samples.count, to: .samples, &transaction)
    try add(samples.reduce(0) { $0 + $1.tokens }, to: .tokens, &transaction)
    try add(samples.reduce(0) { $0 + $1.positions }, to: .positions, &transaction)
    try add(samples.reduce(0) { $0 + $1.payload.count }, to: .payloadBytes, &transaction)
    try add(1, to: .records, &transaction)
    // Kept for readers of earlier versions alone.
    try set(.nextRecord, to: Int(number) + 1, &transaction)
  }
}
