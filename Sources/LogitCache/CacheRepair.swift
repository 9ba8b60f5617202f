public import Diagnostics
import Files
import Fingerprints
import LMDB
import Sequences
import TeacherSignal

/// What a repair did.
public struct RepairedCache: Sendable {
  /// Records of the cache as it is now.
  public var records: Int
  public var samples: Int
  /// What was wrong; empty where nothing was, and then nothing was written.
  public var damages: [Diagnostic]
}

extension LogitCache {
  /// Makes a damaged cache whole: every sound record is found in the bytes of the store's file, wherever it lies and
  /// whether or not anything leads there, and put with a new index into a new store, which takes the old one's place when
  /// it has been verified. What was damaged is missing afterwards, so that a new run of the teacher fills the gaps.
  ///
  /// A repair that is killed, or finds the disk full, leaves the old store. Readers that have it open keep it.
  ///
  /// - Throws: a `Diagnostic` where another process writes to the cache, its manifest does not belong to its records, or
  ///   the new store cannot be written.
  public static func repair(directory: String) throws -> RepairedCache {
    let manifest = try CacheManifest(directory: directory)
    let lock = try LogitCacheWriter.lock(directory)
    defer { withExtendedLifetime(lock) {} }
    var result = RepairedCache(records: 0, samples: 0, damages: [])
    for name in manifest.stores {
      let folder = "\(directory)/\(name)"
      try RecordStore.settle(folder)
      let damages = try Self.damages(folder, directory: directory, manifest)
      if !damages.isEmpty { try rebuild(folder, directory: directory, manifest) }
      let found = try verified(folder, directory: directory, manifest)
      result.records += found.records
      result.samples += found.samples
      result.damages += damages
    }
    return result
  }

  /// What is wrong with one store: what a check finds, and sound samples that nothing leads to, as in a copy that was made
  /// while the cache grew.
  ///
  /// - Throws: a `Diagnostic` where it is not the store that is at fault.
  private static func damages(_ folder: String, directory: String, _ manifest: CacheManifest) throws -> [Diagnostic] {
    do {
      let found = try verified(folder, directory: directory, manifest)
      guard found.damages.isEmpty else { return found.damages }
      var samples = Set<Fingerprint>()
      let file = try StoreFile(folder: folder)
      try unsafe Record.forEach(in: file.bytes) { record in
        for slice in try unsafe Record.slices(record) { samples.insert(slice.key) }
      }
      let astray = samples.count - found.samples
      return astray > 0 ? [.failure("\(astray) sound samples in the file are led to by nothing", file: folder)] : []
    } catch let damage as Diagnostic where damage.category == .failure { return [damage] }
  }

  private static func verified(
    _ folder: String, directory: String, _ manifest: CacheManifest
  ) throws -> CacheVerification {
    let store = try RecordStore(folder: folder, formatVersion: manifest.formatVersion, readOnly: true)
    return try LogitCache(directory: directory, manifest: manifest, stores: [store]).verify()
  }

  // MARK: Rebuilding

  private static func rebuild(_ folder: String, directory: String, _ manifest: CacheManifest) throws {
    let fresh = RecordStore.rebuiltFolder(folder)
    try File.remove(fresh)
    do {
      try fill(fresh, from: folder, directory: directory, manifest)
      let found = try verified(fresh, directory: directory, manifest)
      if let damage = found.damages.first { throw damage }
    } catch {
      try? File.remove(fresh)
      throw error
    }
    try RecordStore.replace(folder, by: fresh)
  }

  private static func fill(_ fresh: String, from folder: String, directory: String, _ manifest: CacheManifest) throws {
    let store = try RecordStore(folder: fresh, formatVersion: manifest.formatVersion, readOnly: false)
    // Without a file there is nothing to rescue.
    guard let file = try? StoreFile(folder: folder) else { return }
    var rescue = Rescue(cache: LogitCache(directory: directory, manifest: manifest, stores: [store]), store: store)
    try unsafe Record.forEach(in: file.bytes) { try unsafe rescue.take($0) }
    try unsafe file.forEachMisplacedValue { value in
      try unsafe Record.forEach(in: value) { try unsafe rescue.take($0) }
    }
    try rescue.finish()
    try rescue.checkManifest()
    try rescuePlans(of: file, into: store, isOld: manifest.formatVersion == 1)
  }

  /// Plans that are whole; one that is not comes again with the next precompute of its data set.
  private static func rescuePlans(of file: StoreFile, into store: RecordStore, isOld: Bool) throws {
    let chunks = (file.entries(of: "plans") ?? []).filter { $0.key.count == 24 }
    let checksums = file.entries(of: "totals") ?? []
    for dataset in Set(chunks.map { Array($0.key.prefix(16)) }) {
      let own = chunks.filter { $0.key.starts(with: dataset) }
      let name = unsafe dataset.withUnsafeBytes { unsafe Record.fingerprint($0, at: 0) }
      let stored = checksums.first { $0.key == RecordStore.checksumName(name) }?.value
      guard let keys = Self.keys(of: own), stored == Fingerprint(of: keys).bytes || isOld && stored == nil else {
        continue
      }
      var plan = try PlanWriter(store, name)
      for start in stride(from: 0, to: keys.count, by: 16) {
        try plan.append(unsafe keys.withUnsafeBytes { unsafe Record.fingerprint($0, at: start) })
      }
      try plan.finish()
    }
  }

  /// The bytes of all keys of a plan's chunks; nil where one is missing or has a wrong size.
  private static func keys(of chunks: [StoreFile.Entry]) -> [UInt8]? {
    var keys: [UInt8] = []
    for (number, chunk) in chunks.enumerated() {
      let isLast = number == chunks.count - 1, size = 16 * RecordStore.keysPerChunk
      guard Array(chunk.key.dropFirst(16)) == Key.number(UInt64(number)), chunk.value.count % 16 == 0,
        isLast ? chunk.value.count <= size : chunk.value.count == size
      else { return nil }
      keys += chunk.value
    }
    return keys
  }
}

/// Sound samples on their way into a new store, each once.
private struct Rescue {
  let cache: LogitCache
  let store: RecordStore
  private var seen = Set<Fingerprint>()
  private var waiting: [[Encoded]] = []
  private var waitingBytes = 0
  private var foreign = 0

  init(cache: LogitCache, store: RecordStore) {
    self.cache = cache
    self.store = store
  }

  /// Takes the samples of a record whose sum is right.
  mutating func take(_ record: UnsafeRawBufferPointer) throws {
    guard let slices = try? unsafe Record.slices(record) else { return }
    var samples: [Encoded] = []
    for slice in slices {
      let payload = unsafe UnsafeRawBufferPointer(rebasing: record[slice.offset..<slice.offset + slice.length])
      guard let sample = try? unsafe cache.decode(payload, of: slice.key) else {
        foreign += 1
        continue
      }
      guard seen.insert(slice.key).inserted else { continue }
      samples.append(Encoded(sample, key: slice.key, payload: unsafe [UInt8](payload)))
    }
    guard !samples.isEmpty else { return }
    waiting.append(samples)
    waitingBytes += record.count
    if waitingBytes > 64 << 20 { try finish() }
  }

  /// Writes what has been taken.
  mutating func finish() throws {
    let records = waiting
    (waiting, waitingBytes) = ([], 0)
    guard !records.isEmpty else { return }
    try store.environment.write { transaction in
      for record in records { try store.put(record[...], &transaction) }
    }
  }

  /// Records that are sound and yet not of this manifest say that the manifest is wrong, not they.
  func checkManifest() throws {
    guard foreign > seen.count else { return }
    throw Diagnostic.failure(
      "the manifest does not belong to the records: \(foreign) sound samples have keys of another one, \(seen.count) of this",
      file: "\(cache.directory)/\(CacheManifest.fileName)",
      remedy: "restore \(CacheManifest.fileName) from a copy; the records are untouched")
  }
}

// MARK: - Taking a store's place

extension RecordStore {
  /// Where a store is rebuilt.
  static func rebuiltFolder(_ folder: String) -> String { "\(folder).rebuilt" }

  /// Puts a finished store in a store's place: both names change hands in one step where the file system can do that.
  static func replace(_ folder: String, by fresh: String) throws {
    if File.exists(folder), StoreFile.exchange(fresh, folder) {
      try File.synchronizeFolder(of: folder)
      return try File.remove(fresh)
    }
    // Otherwise in two, the first of which says that the new store is whole: see `settle`.
    let old = "\(folder).damaged"
    try File.remove(old)
    if File.exists(folder) { try File.move(folder, to: old) }
    try File.move(fresh, to: folder)
    try File.remove(old)
  }

  /// Finishes or forgets what a repair left that was killed. Only the one writer of a cache may call this.
  static func settle(_ folder: String) throws {
    let old = "\(folder).damaged", fresh = rebuiltFolder(folder)
    if !File.exists(folder), File.exists(old) {
      // Killed between two renames: the new store had been verified.
      try File.exists(fresh) ? File.move(fresh, to: folder) : File.move(old, to: folder)
    }
    for leftover in [old, fresh] where File.exists(folder) { try File.remove(leftover) }
  }
}
