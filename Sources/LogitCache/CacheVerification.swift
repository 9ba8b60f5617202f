public import Diagnostics
import Fingerprints
import LMDB
import Sequences
import TeacherSignal

/// What a check of a whole cache found.
public struct CacheVerification: Sendable {
  public var records: Int
  /// Samples of sound records.
  public var samples: Int
  /// One for each damaged record, each index entry that is not what the records say, each total and plan that is wrong, or
  /// the first page that is; of category `failure`.
  public var damages: [Diagnostic]
}

extension LogitCache {
  /// Reads everything: the pages of the store, checksums, every sample decoded, every sample's key computed again from its
  /// tokens, every index entry against the records' own tables, totals and plans.
  ///
  /// - Throws: a `Diagnostic` only where the store cannot be read for another reason; damage inside it is reported.
  public func verify() throws -> CacheVerification {
    var result = CacheVerification(records: 0, samples: 0, damages: [])
    for store in stores {
      do { try store.environment.checkStructure() } catch let damage as Diagnostic {
        // LMDB is not let near it.
        result.damages.append(damage)
        continue
      }
      let found = try store.environment.read { try inspect(store, $0) }
      result.records += found.records
      result.samples += found.samples
      result.damages += found.damages
    }
    return result
  }

  /// What a walk over one store found.
  struct Inspection {
    var records = 0
    var samples = 0
    var damages: [Diagnostic] = []
    fileprivate var damagedRecords = Set<UInt64>()
    fileprivate var tokens = 0, positions = 0, payloadBytes = 0, indexed = 0
    fileprivate var byKernels: [Int: Int] = [:]
  }

  func inspect(_ store: RecordStore, _ transaction: borrowing some Transaction & ~Copyable) throws -> Inspection {
    var found = Inspection()
    try inspectRecords(store, transaction, &found)
    try inspectIndex(store, transaction, &found)
    inspectTotals(store, transaction, &found)
    do {
      for dataset in try store.datasets(transaction) { _ = try store.plan(of: dataset, transaction) }
    } catch let damage as Diagnostic { found.damages.append(damage) }
    return found
  }

  private func inspectRecords(
    _ store: RecordStore, _ transaction: borrowing some Transaction & ~Copyable, _ found: inout Inspection
  ) throws {
    var numberless = 0
    try transaction.withCursor(over: store.records) { cursor in
      try unsafe cursor.forEach { key, value in
        found.records += 1
        guard key.count == 8, let number = unsafe Key.number(in: key) else {
          numberless += 1
          return
        }
        do {
          for (slice, sample) in try unsafe samples(ofRecord: value) {
            let place = try store.place(of: slice.key, transaction)
            if let place, place.record == number, place.offset == slice.offset, place.length == slice.length {
              found.indexed += 1
            } else {
              let damage = Diagnostic.failure("the index does not lead to sample \(slice.key)")
              found.damages.append(store.located(damage, record: number))
            }
            found.samples += 1
            if sample.kernels > 0 { found.byKernels[sample.kernels, default: 0] += 1 }
            found.tokens += sample.sequence.count
            found.positions += sample.signal.positionCount
            found.payloadBytes += slice.length
          }
        } catch let damage as Diagnostic {
          found.damagedRecords.insert(number)
          found.damages.append(store.located(damage, record: number))
        }
      }
    }
    if numberless > 0 { found.damages.append(store.damage("\(numberless) records have keys that are no numbers")) }
  }

  /// Every entry that no sound record stands behind.
  private func inspectIndex(
    _ store: RecordStore, _ transaction: borrowing some Transaction & ~Copyable, _ found: inout Inspection
  ) throws {
    // Each sound sample has its entry or a damage by now: where there are no more entries than those, none is astray.
    if found.damages.isEmpty, try transaction.count(of: store.samples) == found.indexed { return }
    try transaction.withCursor(over: store.samples) { cursor in
      while let (key, place) = try unsafe cursor.next({ key, value in
        unsafe (try? store.fingerprint(ofKey: key), try? RecordStore.Place(value))
      }) {
        if let place, found.damagedRecords.contains(place.record) { continue }
        if let key, let place,
          try unsafe transaction.withValue(
            of: Key.number(place.record), in: store.records,
            { record in
              let slice = try unsafe Record.slice(of: key, in: record)
              return slice?.offset == place.offset && slice?.length == place.length
            }) == true
        {
          continue
        }
        found.damages.append(
          store.located(
            .failure("the index leads nowhere for sample \(key.map { "\($0)" } ?? "of a damaged key")"),
            record: place?.record ?? .max))
      }
    }
  }

  /// Totals against what was found; where records are damaged they cannot agree.
  private func inspectTotals(
    _ store: RecordStore, _ transaction: borrowing some Transaction & ~Copyable, _ found: inout Inspection
  ) {
    inspectTotalNames(store, transaction, &found)
    // Records are only ever added: where the state before had more of them, the newest meta page is not the newest.
    if let counts = (try? StoreFile(folder: store.environment.folder))?.counts(of: "records"),
      counts.before > counts.newest
    {
      found.damages.append(
        store.damage("the store has \(counts.newest) records, and \(counts.before) in the state before"))
    }
    guard found.damagedRecords.isEmpty else { return }
    let totals: [(RecordStore.Total, Int)] = [
      (.samples, found.samples), (.tokens, found.tokens), (.positions, found.positions),
      (.payloadBytes, found.payloadBytes), (.records, found.records),
    ]
    let kernels = manifest.kernels.indices.dropFirst().map { number in
      (RecordStore.total(ofKernels: number), found.byKernels[number] ?? 0)
    }
    do {
      for (name, value) in totals.map({ ($0.rawValue, $1) }) + kernels
      where try store.total(named: name, transaction) != value {
        let stored = try store.total(named: name, transaction)
        found.damages.append(store.damage("the total \(name) is \(stored), counted are \(value)"))
      }
      let next = try store.nextRecord(transaction), stored = try store.total(.nextRecord, transaction)
      if UInt64(stored) < next {
        found.damages.append(store.damage("the next record is said to be \(stored), but \(next - 1) is there"))
      }
    } catch let damage as Diagnostic { found.damages.append(damage) } catch {}
  }

  /// Keys beside the totals that are none, and checksums of plans that are gone.
  private func inspectTotalNames(
    _ store: RecordStore, _ transaction: borrowing some Transaction & ~Copyable, _ found: inout Inspection
  ) {
    do {
      let plans = Set(try store.datasets(transaction).map { "plan/\($0)" })
      let known = plans.union(RecordStore.Total.allCases.map(\.rawValue))
        .union(manifest.kernels.indices.dropFirst().map(RecordStore.total(ofKernels:)))
      try transaction.withCursor(over: store.totals) { cursor in
        while let name = try unsafe cursor.next({ key, _ in unsafe String(decoding: key, as: UTF8.self) }) {
          if !known.contains(name) {
            found.damages.append(store.damage("the total \(name.debugDescription) belongs to nothing"))
          }
        }
      }
    } catch let damage as Diagnostic { found.damages.append(damage) } catch {}
  }

  /// The samples of a record, each checked against the key that names it.
  ///
  /// - Throws: a `Diagnostic` of category `failure`.
  func samples(ofRecord record: UnsafeRawBufferPointer) throws -> [(slice: Record.Slice, sample: ScoredSample)] {
    try unsafe Record.slices(record).map { slice in
      let payload = unsafe UnsafeRawBufferPointer(rebasing: record[slice.offset..<slice.offset + slice.length])
      return (slice, try unsafe decode(payload, of: slice.key))
    }
  }
}
