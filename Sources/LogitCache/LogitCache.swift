import Diagnostics
public import Fingerprints
import LMDB
public import TeacherSignal

/// The teacher's signals of many samples, on disk: stage one's product, read while training.
///
/// A folder with a manifest and one or more LMDB environments. Any number of processes and threads may read while one
/// ``LogitCacheWriter`` adds to it; each call sees whole transactions. Every read checks its record's checksum.
public final class LogitCache: Sendable {
  public let directory: String
  public let manifest: CacheManifest
  let stores: [RecordStore]

  /// Opens a cache for reading.
  ///
  /// - Throws: a `Diagnostic` where the folder is no cache or a store is missing or damaged.
  public convenience init(directory: String) throws {
    let manifest = try CacheManifest(directory: directory)
    let stores = try manifest.stores.map {
      try RecordStore(folder: "\(directory)/\($0)", formatVersion: manifest.formatVersion, readOnly: true)
    }
    self.init(directory: directory, manifest: manifest, stores: stores)
  }

  init(directory: String, manifest: CacheManifest, stores: [RecordStore]) {
    self.directory = directory
    self.manifest = manifest
    self.stores = stores
  }

  /// Number of samples.
  public var count: Int {
    get throws {
      try stores.reduce(0) { sum, store in try sum + store.environment.read { try $0.count(of: store.samples) } }
    }
  }
  /// Number of tokens over all samples, prompts included.
  public var tokens: Int { get throws { try sum(.tokens) } }

  func sum(_ total: RecordStore.Total) throws -> Int {
    try stores.reduce(0) { sum, store in try sum + store.environment.read { try store.total(total, $0) } }
  }

  /// True where the signal of a sample is there; does not read it.
  public func contains(_ key: Fingerprint) throws -> Bool {
    for store in stores {
      if try store.environment.read({ try $0.contains(key.bytes, in: store.samples) }) { return true }
    }
    return false
  }

  /// A sample with its signal, nil where it is not there.
  ///
  /// - Throws: a `Diagnostic` of category `failure` naming the record where it is damaged.
  public func sample(_ key: Fingerprint) throws -> ScoredSample? {
    for store in stores {
      let sample = try unsafe store.withPayload(of: key) { try unsafe decode($0, of: key) }
      if let sample { return sample }
    }
    return nil
  }

  /// Decodes a sample and checks that it fits the manifest and the key it is kept under.
  func decode(_ payload: UnsafeRawBufferPointer, of key: Fingerprint) throws -> ScoredSample {
    let sample = try unsafe SignalCodec.decodeSample(payload, vocabularySize: manifest.vocabularySize)
    guard manifest.fits(sample) else {
      throw Record.damage(
        "a signal of \(sample.signal.largestCount) entries, kernels \(sample.kernels) and \(sample.columns.count) columns is none of the cache"
      )
    }
    let own = manifest.key(sample.sequence, input: sample.input)
    guard own == key else { throw Record.damage("the tokens of sample \(key) belong to \(own)") }
    return sample
  }

  // MARK: Order

  /// In which order to walk over a cache; neither depends on the order of writing.
  public enum Order: Sendable, Equatable {
    /// By sample key, each sample once.
    case keys
    /// As a data set's plan has them, a repeated sample as often as it stands there.
    case dataset(Fingerprint)
  }

  /// Calls `body` with every sample, holding one at a time.
  ///
  /// - Throws: what `body` throws, or a `Diagnostic`: of category `failure` for a damaged record, of category `input`
  ///   for a data set that was never planned or is not complete.
  public func forEachSample(in order: Order, _ body: (Fingerprint, ScoredSample) throws -> Void) throws {
    func visit(_ index: Int, _ key: Fingerprint) throws {
      guard let sample = try sample(key) else {
        throw Diagnostic.input(
          "sample \(index) of the data set, \(key), is not in the cache yet", file: directory,
          remedy: "run decant precompute again to finish it")
      }
      try body(key, sample)
    }
    switch order {
    case .keys: try forEachKey { try visit(0, $0) }
    case .dataset(let dataset): try requirePlan(of: dataset).forEach(visit)
    }
  }

  /// The first key in key order; nil where there is no sample.
  public func firstKey() throws -> Fingerprint? {
    try stores.compactMap { try KeyWalk($0).firstKey() }.min { $0.isBefore($1) }
  }

  /// Calls `body` with the key of every sample, each once, in key order, holding some hundred at a time.
  public func forEachKey(_ body: (Fingerprint) throws -> Void) throws {
    var walks = stores.map(KeyWalk.init)
    while true {
      var least: Fingerprint?
      for index in walks.indices {
        if let key = try walks[index].first(), least.map({ key.isBefore($0) }) ?? true { least = key }
      }
      guard let least else { return }
      for index in walks.indices where try walks[index].first() == least { walks[index].dropFirst() }
      try body(least)
    }
  }
}

extension Fingerprint {
  fileprivate func isBefore(_ other: Fingerprint) -> Bool { (high, low) < (other.high, other.low) }
}

/// A walk over the keys of a store that holds no transaction between steps.
private struct KeyWalk {
  private let store: RecordStore
  private var keys: ArraySlice<Fingerprint> = []
  private var last: Fingerprint?
  private var isAtEnd = false

  private static let step = 512

  init(_ store: RecordStore) { self.store = store }

  /// The next key; nil at the end.
  mutating func first() throws -> Fingerprint? {
    if keys.isEmpty && !isAtEnd { try fill() }
    return keys.first
  }

  mutating func dropFirst() { keys.removeFirst() }

  /// The first key of all; nil where there is none.
  consuming func firstKey() throws -> Fingerprint? { try first() }

  private mutating func fill() throws {
    let (store, last) = (store, last)
    let found = try store.environment.read { transaction in
      try transaction.withCursor(over: store.samples) { cursor in
        var found: [Fingerprint] = []
        if let last { cursor.seek(last.bytes + [0]) }
        while found.count < Self.step,
          let key = try unsafe cursor.next({ key, _ in try unsafe store.fingerprint(ofKey: key) })
        {
          found.append(key)
        }
        return found
      }
    }
    isAtEnd = found.count < Self.step
    self.last = found.last ?? last
    keys = found[...]
  }
}

// MARK: - Plans

extension LogitCache {
  /// The samples of a data set in its order; nil where the data set was never planned here. Samples may still be missing:
  /// see ``forEachMissing(of:_:)``.
  public func plan(of dataset: Fingerprint) throws -> CachePlan? {
    for store in stores {
      if let plan = try store.environment.read({ try store.plan(of: dataset, $0) }) { return plan }
    }
    return nil
  }

  /// The plans of the data sets that were planned here.
  public func plans() throws -> [CachePlan] {
    try stores.flatMap { store in
      try store.environment.read { transaction in
        try store.datasets(transaction).compactMap { try store.plan(of: $0, transaction) }
      }
    }
  }

  /// Calls `body` with the place and key of each sample of a data set that is not in the cache yet.
  ///
  /// - Throws: what `body` throws, or a `Diagnostic` of category `input` where the data set was never planned here.
  public func forEachMissing(of dataset: Fingerprint, _ body: (Int, Fingerprint) throws -> Void) throws {
    try requirePlan(of: dataset).forEach { index, key in if try !contains(key) { try body(index, key) } }
  }

  func requirePlan(of dataset: Fingerprint) throws -> CachePlan {
    if let plan = try plan(of: dataset) { return plan }
    let known = try plans().map { "\($0.dataset)" }.joined(separator: ", ")
    throw Diagnostic.input(
      "the cache was not made for the data set \(dataset); it knows \(known.isEmpty ? "none" : known)", file: directory,
      remedy: "run decant precompute with this data set and this cache")
  }
}
