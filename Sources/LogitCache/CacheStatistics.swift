import Files
import LMDB

/// Sizes of a cache.
public struct CacheStatistics: Sendable, Equatable {
  public var samples: Int
  /// Tokens of all samples, prompts included.
  public var tokens: Int
  /// Positions with a signal.
  public var positions: Int
  public var records: Int
  /// Bytes of the encoded samples, token ids included, without records, index and pages around them.
  public var payloadBytes: Int
  /// Bytes of the files on disk.
  public var fileBytes: Int
  /// Samples that each of the manifest's kernels made, in its order; empty where the cache does not say.
  public var samplesByKernels: [Int]

  /// ``payloadBytes`` per scored position; 0 where there is none.
  public var payloadBytesPerPosition: Double { positions == 0 ? 0 : Double(payloadBytes) / Double(positions) }
  /// ``fileBytes`` per scored position; 0 where there is none.
  public var fileBytesPerPosition: Double { positions == 0 ? 0 : Double(fileBytes) / Double(positions) }
}

extension LogitCache {
  /// The sizes, without reading any record.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where a total is damaged.
  public func statistics() throws -> CacheStatistics {
    let samples = try count
    let others = try manifest.kernels.indices.dropFirst().map { number in
      try stores.reduce(0) { sum, store in
        try sum + store.environment.read { try store.total(named: RecordStore.total(ofKernels: number), $0) }
      }
    }
    return CacheStatistics(
      samples: samples, tokens: try sum(.tokens), positions: try sum(.positions),
      records: try stores.reduce(0) { sum, store in
        try sum + store.environment.read { try $0.count(of: store.records) }
      },
      payloadBytes: try sum(.payloadBytes),
      fileBytes: stores.reduce(0) { $0 + (File.size("\($1.environment.folder)/data.mdb") ?? 0) },
      samplesByKernels: manifest.kernels.isEmpty ? [] : [samples - others.reduce(0, +)] + others)
  }
}
