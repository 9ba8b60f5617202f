public import Diagnostics
import Fingerprints
import LMDB
import TeacherSignal

/// What a check of a whole cache found.
public struct CacheVerification: Sendable {
  public var records: Int
  public var samples: Int
  /// One for each damaged record and each index entry that leads nowhere, of category `failure`.
  public var damages: [Diagnostic]
}

extension LogitCache {
  /// Reads everything: checksums, every sample decoded, every sample's key computed again from its tokens, and every
  /// index entry against the records.
  ///
  /// - Throws: a `Diagnostic` only where the store itself cannot be walked; damage inside it is reported.
  public func verify() throws -> CacheVerification {
    var result = CacheVerification(records: 0, samples: 0, damages: [])
    for shard in shards {
      let found = try shard.environment.read { try inspect(shard, $0) }
      result.records += found.records
      result.samples += found.samples
      result.damages += found.damages.map(\.diagnostic) + found.strays.map(\.diagnostic)
    }
    return result
  }

  struct Inspection {
    var records = 0
    var samples = 0
    var damages: [(record: UInt64, diagnostic: Diagnostic)] = []
    var strays: [(key: [UInt8], diagnostic: Diagnostic)] = []
  }

  func inspect(_ shard: Shard, _ transaction: borrowing some Transaction & ~Copyable) throws -> Inspection {
    var inspection = Inspection()
    var damaged = Set<UInt64>()
    try transaction.withCursor(over: shard.records) { cursor in
      try unsafe cursor.forEach { key, value in
        let number = unsafe Key.number(in: key) ?? .max
        inspection.records += 1
        do {
          let slices = try unsafe inspect(record: value)
          inspection.samples += slices.count
          for slice in slices where (try? shard.place(of: slice.key, transaction))?.record != number {
            let diagnostic = Diagnostic.failure("the index does not lead to sample \(slice.key)")
            inspection.strays.append((slice.key.bytes, shard.located(diagnostic, record: number)))
          }
        } catch let diagnostic as Diagnostic {
          damaged.insert(number)
          inspection.damages.append((number, shard.located(diagnostic, record: number)))
        }
      }
    }
    try transaction.withCursor(over: shard.samples) { cursor in
      while let (key, place) = try unsafe cursor.next({ key, value in
        unsafe ([UInt8](key), try? Shard.Place(value))
      }) {
        if let place, damaged.contains(place.record) { continue }
        if let place, try transaction.contains(Key.number(place.record), in: shard.records) { continue }
        let name = key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        inspection.strays.append(
          (key, shard.located(.failure("the index leads nowhere for sample \(name)"), record: place?.record ?? .max)))
      }
    }
    return inspection
  }

  /// The samples of a sound record.
  private func inspect(record: UnsafeRawBufferPointer) throws -> [Record.Slice] {
    let slices = try unsafe Record.slices(record)
    for slice in slices {
      let payload = unsafe UnsafeRawBufferPointer(rebasing: record[slice.offset..<slice.offset + slice.length])
      let sample = try unsafe decode(payload)
      let key = manifest.key(tokenIDs: sample.tokenIDs, promptLength: sample.promptLength)
      guard key == slice.key else { throw Record.damage("the tokens of sample \(slice.key) belong to \(key)") }
    }
    return slices
  }
}

extension LogitCacheWriter {
  /// Removes damaged records with the index entries that lead to them, so that a new run of the teacher fills the gaps,
  /// and makes the index of the others again; returns what was found. Sound samples are untouched.
  public func repair() throws -> CacheVerification {
    var result = CacheVerification(records: 0, samples: 0, damages: [])
    for shard in cache.shards {
      let found = try shard.environment.write { transaction in
        let found = try cache.inspect(shard, transaction)
        if !found.damages.isEmpty || !found.strays.isEmpty { try remove(found, from: shard, &transaction) }
        return found
      }
      result.records += found.records
      result.samples += found.samples
      result.damages += found.damages.map(\.diagnostic) + found.strays.map(\.diagnostic)
    }
    return result
  }

  private func remove(
    _ found: LogitCache.Inspection, from shard: Shard, _ transaction: inout WriteTransaction
  ) throws {
    let damaged = Set(found.damages.map(\.record))
    var lost = found.strays.map(\.key)
    try transaction.withCursor(over: shard.samples) { cursor in
      while let (key, place) = try unsafe cursor.next({ key, value in
        unsafe ([UInt8](key), try? Shard.Place(value))
      }) {
        if let place, damaged.contains(place.record) { lost.append(key) }
      }
    }
    for key in lost { try transaction.remove(key, from: shard.samples) }
    for record in damaged { try transaction.remove(Key.number(record), from: shard.records) }
    try recount(shard, &transaction)
  }

  /// Makes the index and the totals again from the records that are left.
  private func recount(_ shard: Shard, _ transaction: inout WriteTransaction) throws {
    var places: [(key: Fingerprint, place: Shard.Place)] = []
    var tokens = 0, positions = 0, payloadBytes = 0, records = 0
    try transaction.withCursor(over: shard.records) { cursor in
      try unsafe cursor.forEach { key, record in
        records += 1
        for slice in try unsafe Record.slices(record) {
          let payload = unsafe UnsafeRawBufferPointer(rebasing: record[slice.offset..<slice.offset + slice.length])
          let sample = try unsafe cache.decode(payload)
          tokens += sample.tokenIDs.count
          positions += sample.signal.positionCount
          payloadBytes += slice.length
          let number = unsafe Key.number(in: key) ?? .max
          places.append((slice.key, Shard.Place(record: number, offset: slice.offset, length: slice.length)))
        }
      }
    }
    for (key, place) in places { try transaction.put(place.bytes, for: key.bytes, in: shard.samples) }
    let totals: [(Shard.Total, Int)] = [
      (.samples, places.count), (.tokens, tokens), (.positions, positions), (.payloadBytes, payloadBytes),
      (.records, records),
    ]
    for (total, value) in totals {
      try transaction.put(Key.number(UInt64(value)), for: Array(total.rawValue.utf8), in: shard.totals)
    }
  }
}
