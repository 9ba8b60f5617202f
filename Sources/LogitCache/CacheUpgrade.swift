import Diagnostics
import Files
import Fingerprints
import LMDB
import TeacherSignal

/// What an upgrade did.
public struct UpgradedCache: Sendable {
  /// Version before; the current one where there was nothing to do.
  public var formatVersion: Int
  public var samples: Int
  /// Plans that were taken over.
  public var plans: Int
  /// Plans of data sets that are not complete: the next precompute of each sets it again.
  public var plansLeftOut: Int
}

extension LogitCache {
  /// Turns a cache of version 1 into one of the current version: every sample gets its new key and head, and its signal
  /// keeps its bytes, so nothing is computed anew and no number changes.
  ///
  /// New stores are filled and verified beside the old ones; the manifest that names them appears by rename, and then the
  /// old ones go. An upgrade that is killed, or finds the disk full, leaves the old cache, and is begun again by the same
  /// command.
  ///
  /// - Throws: a `Diagnostic` where another process writes to the cache, a record of it is damaged, or the disk is full.
  public static func upgrade(directory: String) throws -> UpgradedCache {
    let lock = try LogitCacheWriter.lock(directory)
    defer { withExtendedLifetime(lock) {} }
    let old = try CacheManifest(directory: directory)
    try removeForeignStores(directory, old)
    guard old.formatVersion < CacheManifest.currentFormat else {
      return UpgradedCache(formatVersion: old.formatVersion, samples: 0, plans: 0, plansLeftOut: 0)
    }
    for name in old.stores { try RecordStore.settle("\(directory)/\(name)") }
    var manifest = old
    manifest.formatVersion = CacheManifest.currentFormat
    manifest.kernels = [CacheManifest.unknownKernels]
    manifest.stores = old.stores.indices.map { freshName($0, besides: old.stores) }
    var result = UpgradedCache(formatVersion: old.formatVersion, samples: 0, plans: 0, plansLeftOut: 0)
    do {
      for (before, after) in zip(old.stores, manifest.stores) {
        let store = try RecordStore(folder: "\(directory)/\(before)", formatVersion: old.formatVersion, readOnly: true)
        let fresh = try RecordStore(
          folder: "\(directory)/\(after)", formatVersion: manifest.formatVersion, readOnly: false)
        var move = Move(
          from: LogitCache(directory: directory, manifest: old, stores: [store]), store, to: fresh, manifest)
        try move.samples()
        try move.plans()
        result.samples += move.sampleCount
        result.plans += move.planCount
        result.plansLeftOut += move.plansLeftOut
      }
      let found = try LogitCache(
        directory: directory, manifest: manifest,
        stores: manifest.stores.map {
          try RecordStore(folder: "\(directory)/\($0)", formatVersion: manifest.formatVersion, readOnly: true)
        }
      ).verify()
      if let damage = found.damages.first { throw damage }
    } catch {
      for name in manifest.stores { try? File.remove("\(directory)/\(name)") }
      throw error
    }
    try manifest.write(to: directory)
    try removeForeignStores(directory, manifest)
    return result
  }

  /// What an upgrade left that was killed: stores that no manifest names yet, or none names any more.
  private static func removeForeignStores(_ directory: String, _ manifest: CacheManifest) throws {
    for name in try File.list(directory) where name.hasPrefix("shard-") {
      let stem = name.split(separator: ".", maxSplits: 1).first.map(String.init) ?? name
      if !manifest.stores.contains(stem) { try File.remove("\(directory)/\(name)") }
    }
  }

  private static func freshName(_ index: Int, besides names: [String]) -> String {
    let digits = String(names.count + index)
    let name = "shard-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    return names.contains(name) ? name + "-upgraded" : name
  }
}

/// One store's way into a new one.
private struct Move {
  private let cache: LogitCache
  private let store: RecordStore
  private let fresh: RecordStore
  private let manifest: CacheManifest
  private(set) var sampleCount = 0
  private(set) var planCount = 0
  private(set) var plansLeftOut = 0
  private var waiting: [[Encoded]] = []
  private var waitingBytes = 0

  init(from cache: LogitCache, _ store: RecordStore, to fresh: RecordStore, _ manifest: CacheManifest) {
    self.cache = cache
    self.store = store
    self.fresh = fresh
    self.manifest = manifest
  }

  /// Takes every record over, neighbours staying neighbours.
  mutating func samples() throws {
    var next: UInt64 = 0
    while let (number, encoded) = try record(from: next) {
      next = number + 1
      guard !encoded.isEmpty else { continue }
      sampleCount += encoded.count
      waitingBytes += encoded.reduce(0) { $0 + $1.payload.count }
      waiting.append(encoded)
      if waitingBytes > 8 << 20 { try putWaiting() }
    }
    try putWaiting()
  }

  /// The samples of the first record whose number is `first` or more; nil where there is none.
  private func record(from first: UInt64) throws -> (number: UInt64, samples: [Encoded])? {
    try store.environment.read { transaction in
      try transaction.withCursor(over: store.records) { cursor in
        cursor.seek(Key.number(first))
        return try unsafe cursor.next { key, value in
          guard key.count == 8, let number = unsafe Key.number(in: key) else {
            throw store.damage("a record has a key that is no number")
          }
          do { return (number, try unsafe upgraded(value)) } catch let damage as Diagnostic {
            throw store.located(damage, record: number)
          }
        }
      }
    }
  }

  private func upgraded(_ record: UnsafeRawBufferPointer) throws -> [Encoded] {
    try unsafe Record.slices(record).map { slice in
      let payload = unsafe UnsafeRawBufferPointer(rebasing: record[slice.offset..<slice.offset + slice.length])
      let sample = try unsafe cache.decode(payload, of: slice.key)
      return Encoded(
        sample, key: manifest.key(sample.sequence),
        payload: try unsafe SignalCodec.upgraded(payload, vocabularySize: manifest.vocabularySize))
    }
  }

  private mutating func putWaiting() throws {
    let records = waiting
    (waiting, waitingBytes) = ([], 0)
    guard !records.isEmpty else { return }
    try fresh.environment.write { transaction in for record in records { try fresh.put(record[...], &transaction) } }
  }

  /// Takes the plans over whose samples are all there: the new key of a sample is made from its tokens.
  mutating func plans() throws {
    for plan in try cache.plans() {
      var isWhole = true
      try plan.forEach { _, key in isWhole = try isWhole && cache.contains(key) }
      guard isWhole else {
        plansLeftOut += 1
        continue
      }
      var writer = try PlanWriter(fresh, plan.dataset)
      try plan.forEach { _, key in
        guard let sample = try cache.sample(key) else { throw store.damage("the sample \(key) of a plan has gone") }
        try writer.append(manifest.key(sample.sequence))
      }
      try writer.finish()
      planCount += 1
    }
  }
}
