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
  /// The place of this process's kernels in the manifest's list: 0 where they began the cache.
  public let kernels: Int
  private let lock: FileLock
  private var store: RecordStore { cache.stores[cache.stores.count - 1] }

  /// Opens a cache to add to it, or makes one where the folder is missing or empty. Where other kernels began it, the
  /// manifest is told of these before they write anything; a cache of version 1 stays one, and does not say.
  ///
  /// - Parameter mapSize: Address space for the store in bytes; nil takes all that is needed.
  /// - Throws: a `Diagnostic` where another process writes to it, where its manifest differs from `manifest` (see
  ///   ``CacheManifest/check(wanted:directory:)``), or where the folder holds something else.
  public init(directory: String, manifest: CacheManifest, mapSize: Int? = nil) throws {
    try File.makeFolder(directory)
    let isNew = !File.exists("\(directory)/\(CacheManifest.fileName)")
    let temporary = "\(CacheManifest.fileName).tmp-"
    // Indices of data sets are made before there is anything to cache.
    let isOurs = { (name: String) in
      name == Self.lockName || name.hasPrefix(temporary) || name.hasPrefix(File.indexPrefix)
    }
    if isNew, let other = try File.list(directory).first(where: { !isOurs($0) }) {
      throw Diagnostic.input(
        "is not a logit cache but holds \(other)", file: directory, remedy: "name an empty or a new folder")
    }
    lock = try Self.lock(directory)
    // What a process left that was killed while it wrote its manifest.
    for name in try File.list(directory) where name.hasPrefix(temporary) { try File.remove("\(directory)/\(name)") }
    if isNew { try manifest.write(to: directory) }
    let found = try CacheManifest(directory: directory)
    try found.check(wanted: manifest, directory: directory)
    let current = try Self.joined(found, by: manifest, directory: directory)
    kernels = current.kernels.firstIndex(of: manifest.kernels[0]) ?? 0
    for name in current.stores { try RecordStore.settle("\(directory)/\(name)") }
    let stores = try current.stores.map {
      try RecordStore(
        folder: "\(directory)/\($0)", formatVersion: current.formatVersion, readOnly: false, mapSize: mapSize)
    }
    cache = LogitCache(directory: directory, manifest: current, stores: stores)
  }

  /// The manifest with the kernels of this process among its own, and with what ends the first responses, the chat template of
  /// the first conversations and the rules of the first mixtures and twins.
  private static func joined(
    _ found: CacheManifest, by wanted: CacheManifest, directory: String
  ) throws -> CacheManifest {
    // Version 1 has no place for them.
    guard found.formatVersion > 1 else { return found }
    var manifest = found
    if !found.kernels.contains(wanted.kernels[0]) { manifest.kernels.append(wanted.kernels[0]) }
    manifest.chat = found.chat ?? wanted.chat
    manifest.mixtures = found.mixtures ?? wanted.mixtures
    manifest.twins = found.twins ?? wanted.twins
    if manifest != found { try manifest.write(to: directory) }
    return manifest
  }

  private static let lockName = "writer.lock"

  /// Keeps every other writer out.
  static func lock(_ directory: String) throws -> FileLock {
    try FileLock(path: "\(directory)/\(lockName)", owner: "the logit cache")
  }

  /// Records which samples a data set has and in which order, before or after they are there: `body` adds their keys. A plan
  /// of the same data set is replaced; where `body` throws, the data set has none.
  ///
  /// - Parameter dataset: Fingerprint of the data and of how rows become samples.
  /// - Throws: what `body` throws, or a `Diagnostic` of the store.
  public func setPlan(of dataset: Fingerprint, _ body: (inout PlanWriter) throws -> Void) throws {
    var plan = try PlanWriter(store, dataset)
    try body(&plan)
    try plan.finish()
  }

  /// Records the plan of a data set unless it is there already.
  public func setPlan(_ keys: [Fingerprint], of dataset: Fingerprint) throws {
    // A plan that cannot be read is replaced as any other.
    if let plan = try? cache.plan(of: dataset), plan.count == keys.count {
      var isSame = true
      try plan.forEach { isSame = isSame && keys[$0] == $1 }
      if isSame { return }
    }
    try setPlan(of: dataset) { plan in for key in keys { try plan.append(key) } }
  }

  /// Adds samples in one transaction: records, index and totals appear together and durably, or not at all. Samples
  /// that are there already are skipped.
  ///
  /// Neighbours share records, so a batch should hold some thousand positions where it can.
  ///
  /// - Returns: The number of samples added.
  /// - Throws: a `Diagnostic` where a signal is not valid, or of the store, such as a full disk.
  /// - Precondition: no position has more entries than the manifest's top-k, and every sample has the manifest's columns.
  @discardableResult
  public func append(_ batch: [ScoredSample]) throws -> Int {
    var fresh: [Encoded] = [], seen = Set<Fingerprint>()
    for var sample in batch {
      let key = manifest.key(sample.sequence, input: sample.input)
      guard seen.insert(key).inserted, try !cache.contains(key) else { continue }
      precondition(
        manifest.fits(sample),
        "a signal of \(sample.signal.largestCount) entries and columns \(sample.columns.map(\.name)) does not belong into a cache of top-k \(manifest.topK) and columns \(manifest.columns)"
      )
      sample.kernels = kernels
      fresh.append(Encoded(sample, key: key, payload: try manifest.record(of: sample)))
    }
    if fresh.isEmpty { return 0 }
    try store.environment.write { transaction in
      var start = 0, bytes = 0
      for index in fresh.indices {
        bytes += fresh[index].payload.count
        if bytes >= Record.targetBytes || index == fresh.count - 1 {
          try store.put(fresh[start...index], &transaction)
          (start, bytes) = (index + 1, 0)
        }
      }
    }
    return fresh.count
  }
}

extension CacheManifest {
  /// A sample's bytes as they stand in caches of this version.
  fileprivate func record(of sample: ScoredSample) throws -> [UInt8] {
    formatVersion == 1
      ? try codec.encodeVersion1(sample, topK: topK, vocabularySize: vocabularySize)
      : try codec.encode(sample, vocabularySize: vocabularySize)
  }

  /// Whether a sample is one that a cache of this manifest can hold.
  func fits(_ sample: ScoredSample) -> Bool {
    sample.signal.largestCount <= topK && sample.columns.map(\.name).sorted() == columns
      && sample.kernels < max(kernels.count, 1)
      && columnDeclarations.allSatisfy { declared in sample.columns.contains(where: declared.describes) }
  }
}

/// A sample ready to be stored.
struct Encoded {
  var key: Fingerprint
  var payload: [UInt8]
  var tokens: Int
  var positions: Int
  var kernels: Int

  init(_ sample: ScoredSample, key: Fingerprint, payload: [UInt8]) {
    self.key = key
    self.payload = payload
    tokens = sample.sequence.count
    positions = sample.signal.positionCount
    kernels = sample.kernels
  }
}

extension RecordStore {
  /// Stores one record with its index entries and adds it to the totals.
  func put(_ samples: ArraySlice<Encoded>, _ transaction: inout WriteTransaction) throws {
    let number = try nextRecord(transaction)
    guard number < UInt64(1) << 56 else { throw damage("the last record has the number \(number - 1)") }
    let (bytes, slices) = Record.group(samples.map { ($0.key, $0.payload) })
    try transaction.insert(bytes, for: Key.number(number), in: records)
    for slice in slices {
      let place = Place(record: number, offset: slice.offset, length: slice.length)
      try transaction.insert(place.bytes, for: slice.key.bytes, in: self.samples)
    }
    func add(_ total: Total, _ amount: Int) throws { try self.add(amount, to: total.rawValue, &transaction) }
    try add(.samples, samples.count)
    try add(.tokens, samples.reduce(0) { $0 + $1.tokens })
    try add(.positions, samples.reduce(0) { $0 + $1.positions })
    try add(.payloadBytes, samples.reduce(0) { $0 + $1.payload.count })
    try add(.records, 1)
    for sample in samples where sample.kernels > 0 {
      try self.add(1, to: Self.total(ofKernels: sample.kernels), &transaction)
    }
    // Kept for readers of earlier versions alone.
    try set(Total.nextRecord.rawValue, to: Int(number) + 1, &transaction)
  }
}
