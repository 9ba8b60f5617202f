import Diagnostics
import Files
import Fingerprints
import LMDB

/// One LMDB environment of a cache.
///
///     records   number -> ``Record``
///     samples   key -> record number, offset, length        (the index, and with it the progress)
///     plans     data set, chunk number -> 255 sample keys   (16 x 255 bytes fill a page)
///     totals    name -> number; plan/data set -> checksum of its keys
struct RecordStore: Sendable {
  let environment: Environment
  let records: Database
  let samples: Database
  let plans: Database
  let totals: Database
  /// Whether a plan without a checksum is one that was begun and not finished: in the first version it may be whole.
  let plansHaveChecksums: Bool

  static let keysPerChunk = 255

  /// - Parameter formatVersion: That of the cache.
  /// - Throws: a `Diagnostic` where the folder is missing, a link, or its store is damaged.
  init(folder: String, formatVersion: Int, readOnly: Bool, mapSize: Int? = nil) throws {
    plansHaveChecksums = formatVersion > 1
    guard FileKind(at: folder, following: false) != .link else {
      throw Diagnostic.input(
        "is a link: a store lies in its cache's own folder", file: folder,
        remedy: "put the folder itself there, or link the whole cache")
    }
    guard !readOnly || File.exists("\(folder)/data.mdb") else {
      throw Diagnostic.failure(
        "the store's file, which the manifest names, is missing", file: folder,
        remedy: "run decant cache repair, then decant precompute again")
    }
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

  /// The name of the number of samples that kernels beside the first made.
  static func total(ofKernels number: Int) -> String { "kernels/\(number)" }

  /// - Throws: a `Diagnostic` of category `failure` where it is no number that a count can be.
  func total(_ total: Total, _ transaction: borrowing some Transaction & ~Copyable) throws -> Int {
    try self.total(named: total.rawValue, transaction)
  }

  /// - Throws: a `Diagnostic` of category `failure` where it is no number that a count can be.
  func total(named name: String, _ transaction: borrowing some Transaction & ~Copyable) throws -> Int {
    guard let bytes = try transaction.value(of: Array(name.utf8), in: totals) else { return 0 }
    let number = unsafe bytes.withUnsafeBytes { unsafe $0.count == 8 ? Key.number(in: $0) : nil }
    guard let number, number <= UInt64(1) << 56 else {
      throw damage("the total \(name) is no count: \(number.map { "\($0)" } ?? "\(bytes.count) bytes")")
    }
    return Int(number)
  }

  func set(_ name: String, to value: Int, _ transaction: inout WriteTransaction) throws {
    try transaction.put(Key.number(UInt64(max(0, value))), for: Array(name.utf8), in: totals)
  }

  func add(_ amount: Int, to name: String, _ transaction: inout WriteTransaction) throws {
    if amount > 0 { try set(name, to: try total(named: name, transaction) + amount, &transaction) }
  }

  /// The number of the next record: one after the last that is there, whatever a counter says.
  func nextRecord(_ transaction: borrowing some Transaction & ~Copyable) throws -> UInt64 {
    let last = try transaction.withCursor(over: records) { cursor in
      try unsafe cursor.last { key, _ in unsafe key.count == 8 ? Key.number(in: key) ?? .max : .max }
    }
    guard let last else { return 0 }
    guard last < .max else { throw damage("the last record has no number") }
    return last + 1
  }

  /// What to say of a store that is not what it should be.
  func damage(_ what: String) -> Diagnostic {
    .failure(what, file: environment.folder, remedy: "run decant cache repair, then decant precompute again")
  }

  func place(of key: Fingerprint, _ transaction: borrowing some Transaction & ~Copyable) throws -> Place? {
    try unsafe transaction.withValue(of: key.bytes, in: samples) { try unsafe Place($0) }
  }

  /// Lends the checked bytes of a sample; nil where it is not here. Its record's own table says where it lies: an index
  /// entry that says otherwise is damage.
  func withPayload<Result>(of key: Fingerprint, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result? {
    try environment.read { transaction in
      guard let place = try place(of: key, transaction) else { return nil }
      do {
        let result = try unsafe transaction.withValue(of: Key.number(place.record), in: records) { bytes in
          let record = try unsafe Record.checked(bytes)
          guard let slice = try unsafe Record.slice(of: key, in: record) else {
            throw Record.damage("the index looks for sample \(key) in it, and it is not there")
          }
          guard slice.offset == place.offset, slice.length == place.length else {
            throw Record.damage("the index gives sample \(key) another place than its own table")
          }
          return try unsafe body(
            UnsafeRawBufferPointer(rebasing: record[slice.offset..<slice.offset + slice.length]))
        }
        guard let result else { throw Diagnostic.failure("the record is gone, its index is not") }
        return result
      } catch let diagnostic as Diagnostic { throw located(diagnostic, record: place.record) }
    }
  }

  /// A diagnostic with the store, the record and what to do filled in.
  func located(_ diagnostic: Diagnostic, record: UInt64) -> Diagnostic {
    var copy = diagnostic.located(file: environment.folder, field: "record \(record)")
    copy.remedy = diagnostic.remedy ?? "run decant cache repair, then decant precompute again"
    return copy
  }
}
