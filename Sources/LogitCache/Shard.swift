import Diagnostics
import Fingerprints
import LMDB

/// One LMDB environment of a cache.
///
///     records   number -> ``Record``
///     samples   key -> record number, offset, length        (the index, and with it the progress)
///     plans     data set, chunk number -> 255 sample keys   (16 x 255 bytes fill a page)
///     totals    name -> number
struct Shard: Sendable {
  let environment: Environment
  let records: Database
  let samples: Database
  let plans: Database
  let totals: Database

  static let keysPerChunk = 255

  init(folder: String, readOnly: Bool, mapSize: Int? = nil) throws {
    environment = try Environment(
      folder: folder,
      .init(databases: ["records", "samples", "plans", "totals"], readOnly: readOnly, mapSize: mapSize))
    records = environment.database("records")
    samples = environment.database("samples")
    plans = environment.database("plans")
    totals = environment.database("totals")
  }

  /// Where a sample is.
  struct Place {
    var record: UInt64
    var offset: Int
    var length: Int

    init(record: UInt64, offset: Int, length: Int) {
      self.record = record
      self.offset = offset
      self.length = length
    }

    init(_ bytes: UnsafeRawBufferPointer) throws {
      guard bytes.count == 16 else { throw Diagnostic.failure("an index entry has \(bytes.count) bytes, not 16") }
      record = unsafe Key.number(in: bytes)!
      offset = unsafe Int(Record.uint32(bytes, at: 8))
      length = unsafe Int(Record.uint32(bytes, at: 12))
    }

    var bytes: [UInt8] {
      Key.number(record) + Record.bigEndian(UInt32(offset)) + Record.bigEndian(UInt32(length))
    }
  }

  /// Numbers kept beside the records, changed in the same transactions.
  enum Total: String, CaseIterable {
    case samples, tokens, positions, payloadBytes = "payload_bytes", records, nextRecord = "next_record"
  }

  func total(_ total: Total, _ transaction: borrowing some Transaction & ~Copyable) throws -> Int {
    let number = try unsafe transaction.withValue(of: Array(total.rawValue.utf8), in: totals) {
      unsafe Key.number(in: $0) ?? 0
    }
    return Int(number ?? 0)
  }

  func add(_ amount: Int, to total: Total, _ transaction: inout WriteTransaction) throws {
    let sum = try self.total(total, transaction) + amount
    try transaction.put(Key.number(UInt64(max(0, sum))), for: Array(total.rawValue.utf8), in: totals)
  }

  func place(of key: Fingerprint, _ transaction: borrowing some Transaction & ~Copyable) throws -> Place? {
    try unsafe transaction.withValue(of: key.bytes, in: samples) { try unsafe Place($0) }
  }

  /// Lends the checked bytes of a sample; nil where it is not here.
  func withPayload<Result>(of key: Fingerprint, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result? {
    try environment.read { transaction in
      guard let place = try place(of: key, transaction) else { return nil }
      do {
        let result = try unsafe transaction.withValue(of: Key.number(place.record), in: records) { bytes in
          let record = try unsafe Record.checked(bytes)
          guard place.length <= record.count, place.offset <= record.count - place.length else {
            throw Record.damage("sample \(key) lies outside it")
          }
          return try unsafe body(
            UnsafeRawBufferPointer(rebasing: record[place.offset..<place.offset + place.length]))
        }
        guard let result else { throw Diagnostic.failure("the record is gone, its index is not") }
        return result
      } catch let diagnostic as Diagnostic { throw located(diagnostic, record: place.record) }
    }
  }

  /// A diagnostic with the shard, the record and what to do filled in.
  func located(_ diagnostic: Diagnostic, record: UInt64) -> Diagnostic {
    var copy = diagnostic.located(file: environment.folder, field: "record \(record)")
    copy.remedy = diagnostic.remedy ?? "run decant cache repair, then decant precompute again"
    return copy
  }
}
