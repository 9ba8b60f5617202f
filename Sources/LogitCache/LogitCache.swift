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
  let shards: [Shard]

  /// Opens a cache for reading.
  ///
  /// - Throws: a `Diagnostic` where the folder is no cache or a shard is missing or damaged.
  public convenience init(directory: String) throws {
    let manifest = try CacheManifest(directory: directory)
    let shards = try manifest.shards.map { try Shard(folder: "\(directory)/\($0)", readOnly: true) }
    self.init(directory: directory, manifest: manifest, shards: shards)
  }

  init(directory: String, manifest: CacheManifest, shards: [Shard]) {
    self.directory = directory
    self.manifest = manifest
    self.shards = shards
  }

  /// Number of samples.
  public var count: Int {
    get throws {
      try shards.reduce(0) { sum, shard in try sum + shard.environment.read { try $0.count(of: shard.samples) } }
    }
  }
  /// Number of tokens over all samples, prompts included.
  public var tokens: Int { get throws { try sum(.tokens) } }

  func sum(_ total: Shard.Total) throws -> Int {
    try shards.reduce(0) { sum, shard in try sum + shard.environment.read { try shard.total(total, $0) } }
  }

  /// True where the signal of a sample is there; does not read it.
  public func contains(_ key: Fingerprint) throws -> Bool {
    for shard in shards {
      if try shard.environment.read({ try $0.contains(key.bytes, in: shard.samples) }) { return true }
    }
    return false
  }

  /// A sample with its signal, nil where it is not there.
  ///
  /// - Throws: a `Diagnostic` of category `failure` naming the record where it is damaged.
  public func sample(_ key: Fingerprint) throws -> ScoredSample? {
    for shard in shards {
      let sample = try unsafe shard.withPayload(of: key) { try unsafe decode($0, of: key) }
      if let sample { return sample }
    }
    return nil
  }

  /// Decodes a sample and checks that it fits the manifest and the key it is kept under.
  func decode(_ payload: UnsafeRawBufferPointer, of key: Fingerprint) throws -> ScoredSample {
    let sample = try unsafe SignalCodec.decodeSample(payload, vocabularySize: manifest.vocabularySize)
    guard sample.signal.topK == manifest.topK else {
      throw Record.damage("a signal has top-k \(sample.signal.topK), the cache \(manifest.topK)")
    }
    let own = manifest.key(sample.sequence)
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
    let keys =
      switch order {
      case .keys: try sampleKeys()
      case .dataset(let dataset): try requirePlan(of: dataset)
      }
    for (index, key) in keys.enumerated() {
      guard let sample = try sample(key) else {
        throw Diagnostic.input(
          "sample \(index) of the data set, \(key), is not in the cache yet", file: directory,
          remedy: "run decant precompute again to finish it")
      }
      try body(key, sample)
    }
  }

  /// The keys of all samples, in key order.
  public func sampleKeys() throws -> [Fingerprint] {
    var keys: [Fingerprint] = []
    for shard in shards {
      try shard.environment.read { transaction in
        try transaction.withCursor(over: shard.samples) { cursor in
          while let key = try unsafe cursor.next({ key, _ in try unsafe shard.fingerprint(ofKey: key) }) {
            keys.append(key)
          }
        }
      }
    }
    return shards.count == 1 ? keys : Set(keys).sorted { ($0.high, $0.low) < ($1.high, $1.low) }
  }
}

// MARK: - Plans

extension LogitCache {
  /// The keys of a data set's samples in its order, repeated ones as often as they stand in it; nil where the data set
  /// was never planned here. Samples may still be missing: see ``remaining(of:)``.
  public func plan(of dataset: Fingerprint) throws -> [Fingerprint]? {
    for shard in shards {
      let keys = try shard.environment.read { try shard.plan(of: dataset, $0) }
      if let keys { return keys }
    }
    return nil
  }

  /// The data sets planned here, with how many samples each has.
  public func datasets() throws -> [(dataset: Fingerprint, samples: Int)] {
    try shards.flatMap { shard in try shard.environment.read { try shard.datasets($0) } }
  }

  /// The keys of a data set that are not in the cache yet, each once, in the order of the data set.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the data set was never planned here.
  public func remaining(of dataset: Fingerprint) throws -> [Fingerprint] {
    var seen = Set<Fingerprint>()
    return try requirePlan(of: dataset).filter { try seen.insert($0).inserted && !contains($0) }
  }

  func requirePlan(of dataset: Fingerprint) throws -> [Fingerprint] {
    if let plan = try plan(of: dataset) { return plan }
    let known = try datasets().map { "\($0.dataset)" }.joined(separator: ", ")
    throw Diagnostic.input(
      "the cache was not made for the data set \(dataset); it knows \(known.isEmpty ? "none" : known)", file: directory,
      remedy: "run decant precompute with this data set and this cache")
  }
}
