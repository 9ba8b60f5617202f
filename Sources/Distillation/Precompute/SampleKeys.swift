import Fingerprints
import LogitCache
import Samples

/// What the samples of a data set are called in a cache: by the plan that the cache has of it, else by their content.
///
/// A plan of the same data set stands for every key in it, so no row need be read again.
struct SampleKeys: Sendable {
  private let samples: SampleIndex
  private let manifest: CacheManifest
  private let plan: CachePlan?

  /// - Throws: a `Diagnostic` where the cache's plan of the data set is damaged.
  init(_ samples: SampleIndex, in cache: LogitCache) throws {
    self.samples = samples
    manifest = cache.manifest
    plan = try cache.plan(of: samples.fingerprint).flatMap { $0.count == samples.count ? $0 : nil }
  }

  /// The keys of a cache that is still to be made.
  init(_ samples: SampleIndex, in manifest: CacheManifest) {
    self.samples = samples
    self.manifest = manifest
    plan = nil
  }

  /// Whether the cache has the data set's plan.
  var isPlanned: Bool { plan != nil }

  /// The key of a sample.
  func key(_ number: Int) throws -> Fingerprint { try plan?.key(at: number) ?? key(number, samples[number]) }

  private func key(_ number: Int, _ entry: SampleIndex.Entry) throws -> Fingerprint {
    guard manifest.keysNeedTokens else { return manifest.key(content: entry.contentKey) }
    return manifest.key(try samples.sample(at: number).sequence)
  }

  /// Calls `body` with the number, entry and key of each sample of a range, by default of all.
  func forEach(_ range: Range<Int>? = nil, _ body: (Int, SampleIndex.Entry, Fingerprint) throws -> Void) throws {
    try samples.forEachEntry(range) { number, entry in
      try body(number, entry, plan?.key(at: number) ?? key(number, entry))
    }
  }
}
