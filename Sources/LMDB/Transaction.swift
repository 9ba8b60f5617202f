import CLMDB
import Diagnostics

/// A named, sorted map from keys to values inside an ``Environment``, which hands it out.
public struct Database: Sendable {
  public let name: String
  let index: MDB_dbi
  let owner: ObjectIdentifier
}

/// What can be asked inside a transaction of either kind.
///
/// A value is lent to a closure, without a copy, for as long as the closure runs.
public protocol Transaction: ~Copyable {
  var context: TransactionContext { get }
}

/// A transaction's handle, opaque to other rooms.
@safe public struct TransactionContext {
  let pointer: OpaquePointer
  let handle: Handle

  init(_ pointer: OpaquePointer, handle: Handle) {
    unsafe self.pointer = pointer
    self.handle = handle
  }

  var folder: String { handle.folder }

  func index(of database: Database) -> MDB_dbi {
    precondition(
      database.owner == ObjectIdentifier(handle), "database \(database.name) does not belong to the store \(folder)")
    return database.index
  }

  /// Lends bytes as LMDB's key type.
  func withKey<Result>(_ key: [UInt8], _ body: (inout MDB_val) throws -> Result) rethrows -> Result {
    precondition((1...511).contains(key.count), "a key has 1 to 511 bytes, not \(key.count)")
    return try unsafe key.withUnsafeBytes { bytes in
      var value = unsafe MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
      return try unsafe body(&value)
    }
  }
}

extension MDB_val {
  /// The bytes LMDB points at.
  var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: mv_data, count: mv_size) }
}

/// A snapshot of the store, lent by ``Environment/read(_:)``.
public struct ReadTransaction: Transaction, ~Copyable {
  public let context: TransactionContext

  init(_ pointer: OpaquePointer, handle: Handle) {
    unsafe context = TransactionContext(pointer, handle: handle)
  }
}

extension Transaction where Self: ~Copyable {
  /// Lends the value of a key to `body`; nil without calling it where the key is not there.
  public borrowing func withValue<Result>(
    of key: [UInt8], in database: Database, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    var value = unsafe MDB_val()
    let code = unsafe context.withKey(key) { key in
      unsafe mdb_get(context.pointer, context.index(of: database), &key, &value)
    }
    guard try ResultCode.found(code, "read from \(database.name)", in: context.folder) else { return nil }
    return try unsafe body(value.bytes)
  }

  /// A copy of the value of a key, nil where the key is not there.
  public borrowing func value(of key: [UInt8], in database: Database) throws -> [UInt8]? {
    unsafe try withValue(of: key, in: database) { unsafe [UInt8]($0) }
  }

  public borrowing func contains(_ key: [UInt8], in database: Database) throws -> Bool {
    unsafe try withValue(of: key, in: database) { _ in true } ?? false
  }

  /// Number of keys.
  public borrowing func count(of database: Database) throws -> Int {
    var statistics = MDB_stat()
    try unsafe ResultCode.check(
      mdb_stat(context.pointer, context.index(of: database), &statistics), "measure \(database.name)",
      in: context.folder)
    return statistics.ms_entries
  }

  /// Lends a cursor that stands before the first key. Inside a write transaction nothing can be written meanwhile.
  public borrowing func withCursor<Result>(
    over database: Database, _ body: (inout Cursor) throws -> Result
  ) throws -> Result {
    var pointer: OpaquePointer?
    try unsafe ResultCode.check(
      mdb_cursor_open(context.pointer, context.index(of: database), &pointer), "walk over \(database.name)",
      in: context.folder)
    defer { unsafe mdb_cursor_close(pointer) }
    var cursor = unsafe Cursor(pointer!, database: database.name, folder: context.folder)
    return try body(&cursor)
  }
}

/// The transaction that may write, lent by ``Environment/write(durably:_:)``.
///
/// A write that fails dooms the transaction: whether or not the closure goes on, nothing of it will be committed.
public struct WriteTransaction: Transaction, ~Copyable {
  public let context: TransactionContext
  /// The first failure of a write.
  private(set) var failure: Diagnostic?

  init(_ pointer: OpaquePointer, handle: Handle) {
    unsafe context = TransactionContext(pointer, handle: handle)
  }

  /// Sets the value of a key, replacing one that is there.
  public mutating func put(_ value: UnsafeRawBufferPointer, for key: [UInt8], in database: Database) throws {
    var data = unsafe MDB_val(mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
    let context = self.context
    try attempt("write to \(database.name)") {
      unsafe context.withKey(key) { key in
        unsafe mdb_put(context.pointer, context.index(of: database), &key, &data, 0)
      }
    }
  }

  /// Sets the value of a key, replacing one that is there.
  public mutating func put(_ value: [UInt8], for key: [UInt8], in database: Database) throws {
    try unsafe value.withUnsafeBytes { bytes in try unsafe put(bytes, for: key, in: database) }
  }

  /// Sets the value of a key that is not there yet.
  ///
  /// - Throws: a `Diagnostic` of category `failure` where it is there: what stands in a store is never written over by
  ///   mistake.
  public mutating func insert(_ value: [UInt8], for key: [UInt8], in database: Database) throws {
    let context = self.context
    try attempt("write to \(database.name)") {
      unsafe value.withUnsafeBytes { bytes in
        var data = unsafe MDB_val(
          mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        return unsafe context.withKey(key) { key in
          unsafe mdb_put(context.pointer, context.index(of: database), &key, &data, UInt32(MDB_NOOVERWRITE))
        }
      }
    }
  }

  /// Removes a key; false where it was not there.
  @discardableResult
  public mutating func remove(_ key: [UInt8], from database: Database) throws -> Bool {
    let context = self.context
    var wasThere = true
    try attempt("remove from \(database.name)") {
      let code = unsafe context.withKey(key) { key in
        unsafe mdb_del(context.pointer, context.index(of: database), &key, nil)
      }
      wasThere = code != MDB_NOTFOUND
      return wasThere ? code : MDB_SUCCESS
    }
    return wasThere
  }

  /// Removes every key from `first` to the last one before `end`; returns how many.
  @discardableResult
  public mutating func remove(from first: [UInt8], upTo end: [UInt8], in database: Database) throws -> Int {
    var keys: [[UInt8]] = []
    try withCursor(over: database) { cursor in
      cursor.seek(first)
      while let key = unsafe try cursor.next({ key, _ in unsafe [UInt8](key) }), key.lexicographicallyPrecedes(end) {
        keys.append(key)
      }
    }
    for key in keys { try remove(key, from: database) }
    return keys.count
  }

  private mutating func attempt(_ what: String, _ call: () -> Int32) throws {
    if let failure { throw failure }
    do { try ResultCode.check(call(), what, in: context.folder) } catch let diagnostic as Diagnostic {
      failure = diagnostic
      throw diagnostic
    }
  }
}
