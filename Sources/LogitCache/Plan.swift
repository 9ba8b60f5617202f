import Diagnostics
public import Fingerprints
import LMDB

/// The samples of a data set in its order, repeated ones as often as they stand in it. Read from the store a chunk at a
/// time, so that it takes no memory to speak of, however long it is.
public struct CachePlan: Sendable {
  let store: RecordStore
  public let dataset: Fingerprint
  /// Number of samples, repeated ones counted as often as they stand there.
  public let count: Int

  /// The key of one sample.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where the plan is damaged or has been replaced by a shorter one.
  /// - Precondition: `index` is in `0 ..< count`.
  public func key(at index: Int) throws -> Fingerprint {
    precondition((0..<count).contains(index), "sample \(index) of a plan of \(count)")
    let offset = 16 * (index % RecordStore.keysPerChunk)
    let key = try store.environment.read { transaction in
      try unsafe transaction.withValue(of: store.chunkKey(dataset, index / RecordStore.keysPerChunk), in: store.plans) {
        unsafe offset + 16 <= $0.count ? Record.fingerprint($0, at: offset) : nil
      }
    }
    guard let key, let key else { throw store.damage("the plan of data set \(dataset) has no sample \(index)") }
    return key
  }

  /// Calls `body` with the index and key of each sample, in order, outside of any transaction.
  ///
  /// - Throws: what `body` throws, or as ``key(at:)``.
  public func forEach(_ body: (Int, Fingerprint) throws -> Void) throws {
    var index = 0
    while index < count {
      let chunk = try store.environment.read { transaction in
        try transaction.value(of: store.chunkKey(dataset, index / RecordStore.keysPerChunk), in: store.plans)
      }
      let expected = min(RecordStore.keysPerChunk, count - index)
      guard let chunk, chunk.count == 16 * expected else {
        throw store.damage("the plan of data set \(dataset) has no sample \(index)")
      }
      for place in 0..<expected {
        try body(index + place, unsafe chunk.withUnsafeBytes { unsafe Record.fingerprint($0, at: 16 * place) })
      }
      index += expected
    }
  }
}

/// A plan in the making: keys are taken one by one and stored by the thousands.
public struct PlanWriter: ~Copyable {
  private let store: RecordStore
  private let dataset: Fingerprint
  private var waiting: [Fingerprint] = []
  private var count = 0
  private let sum = FingerprintStream()

  /// Keys that go into one transaction: its pages wait in memory.
  private static let keysPerTransaction = 64 * RecordStore.keysPerChunk

  /// Takes the data set's old plan out of sight.
  init(_ store: RecordStore, _ dataset: Fingerprint) throws {
    self.store = store
    self.dataset = dataset
    _ = try store.environment.write { try $0.remove(RecordStore.checksumName(dataset), from: store.totals) }
  }

  /// Adds the key of the next sample.
  public mutating func append(_ key: Fingerprint) throws {
    waiting.append(key)
    sum.append(key.bytes)
    if waiting.count == Self.keysPerTransaction { try putWaiting() }
  }

  private mutating func putWaiting() throws {
    let (keys, first) = (waiting, count / RecordStore.keysPerChunk)
    let (store, dataset) = (store, dataset)
    try store.environment.write { transaction in
      for start in stride(from: 0, to: keys.count, by: RecordStore.keysPerChunk) {
        let part = keys[start..<min(start + RecordStore.keysPerChunk, keys.count)]
        let name = store.chunkKey(dataset, first + start / RecordStore.keysPerChunk)
        try transaction.put(part.flatMap(\.bytes), for: name, in: store.plans)
      }
    }
    count += keys.count
    waiting.removeAll(keepingCapacity: true)
  }

  /// Stores the rest, removes what an older plan had beyond it, and makes the plan visible: in one transaction.
  consuming func finish() throws {
    if waiting.count > RecordStore.keysPerChunk { try putWaiting() }
    let (store, dataset, keys, before) = (store, dataset, waiting, count)
    let total = before + keys.count, checksum = sum.fingerprint
    // A data set without samples has one empty chunk.
    let end = max(1, (total + RecordStore.keysPerChunk - 1) / RecordStore.keysPerChunk)
    try store.environment.write { transaction in
      if !keys.isEmpty || total == 0 {
        let name = store.chunkKey(dataset, before / RecordStore.keysPerChunk)
        try transaction.put(keys.flatMap(\.bytes), for: name, in: store.plans)
      }
      try transaction.remove(
        from: store.chunkKey(dataset, end), upTo: dataset.bytes + Key.number(.max), in: store.plans)
      try transaction.put(checksum.bytes, for: RecordStore.checksumName(dataset), in: store.totals)
    }
  }
}

/// Plans are kept in chunks under (data set, chunk number), with a checksum of all keys among the totals, which makes them
/// visible: nothing else could tell a key that was damaged from one that is still to come. Plans of the earliest caches
/// have none.
extension RecordStore {
  func chunkKey(_ dataset: Fingerprint, _ number: Int) -> [UInt8] { dataset.bytes + Key.number(UInt64(number)) }

  /// The plan of a data set, nil where there is none or it is not complete.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where a chunk is missing, of a wrong size or not what was written.
  func plan(of dataset: Fingerprint, _ transaction: borrowing some Transaction & ~Copyable) throws -> CachePlan? {
    let stored = try transaction.value(of: Self.checksumName(dataset), in: totals)
    guard stored != nil || !plansHaveChecksums else { return nil }
    let sum = FingerprintStream()
    var count = 0, number = 0, isLast = false
    try transaction.withCursor(over: plans) { cursor in
      cursor.seek(dataset.bytes)
      while let isMine = try unsafe cursor.next({ key, value in
        guard unsafe key.starts(with: dataset.bytes) else { return false }
        guard key.count == 24, unsafe Key.number(in: key, at: 16) == UInt64(number), value.count % 16 == 0,
          value.count <= 16 * Self.keysPerChunk, !isLast
        else { throw damage("chunk \(number) of a plan is missing or has a wrong size") }
        unsafe sum.append(value)
        isLast = value.count < 16 * Self.keysPerChunk
        count += value.count / 16
        number += 1
        return true
      }), isMine {}
    }
    guard number > 0 else { return nil }
    guard stored == nil || stored == sum.fingerprint.bytes else {
      throw damage("the plan of data set \(dataset) is not what its checksum says")
    }
    return CachePlan(store: self, dataset: dataset, count: count)
  }

  /// The data sets that have a plan, or one that was begun.
  func datasets(_ transaction: borrowing some Transaction & ~Copyable) throws -> [Fingerprint] {
    try transaction.withCursor(over: plans) { cursor in
      var names: [Fingerprint] = []
      while let name = try unsafe cursor.next({ key, _ in
        guard key.count == 24 else { throw damage("a plan has a key of \(key.count) bytes") }
        return unsafe Record.fingerprint(key, at: 0)
      }) {
        names.append(name)
        // On to the next data set, past the chunks of this one.
        cursor.seek(name.bytes + Key.number(.max))
      }
      return names
    }
  }

  static func checksumName(_ dataset: Fingerprint) -> [UInt8] { Array("plan/\(dataset)".utf8) }

  /// The sample that a key of the index names.
  func fingerprint(ofKey key: UnsafeRawBufferPointer) throws -> Fingerprint {
    guard key.count == 16 else { throw damage("an index entry has a key of \(key.count) bytes") }
    return unsafe Record.fingerprint(key, at: 0)
  }
}
