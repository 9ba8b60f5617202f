import CLMDB

/// A lazy walk over a database in key order (bytes compared as unsigned numbers), lent by
/// ``Transaction/withCursor(over:_:)``. What is read is lent in turn, without a copy, for the length of a closure.
@safe public struct Cursor: ~Copyable {
  private let pointer: OpaquePointer
  private let database: String
  private let folder: String
  private var start: [UInt8]?
  private var operation = MDB_FIRST

  init(_ pointer: OpaquePointer, database: String, folder: String) {
    unsafe self.pointer = pointer
    self.database = database
    self.folder = folder
  }

  /// Makes ``next(_:)`` go on at the first key that is `key` or comes after it.
  public mutating func seek(_ key: [UInt8]) {
    start = key
    operation = MDB_SET_RANGE
  }

  /// Lends the next key and value to `body`; nil without calling it at the end.
  ///
  /// - Throws: what `body` throws, or a `Diagnostic` of LMDB's.
  public mutating func next<Result>(
    _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    defer {
      operation = MDB_NEXT
      start = nil
    }
    return unsafe try move(operation, from: start, body)
  }

  /// Lends every key and value from here to the end to `body`, one after the other.
  public mutating func forEach(
    _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Void
  ) throws {
    while let () = unsafe try next(body) {}
  }

  /// Lends the last key and value to `body`; nil without calling it where the database is empty.
  public mutating func last<Result>(
    _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    unsafe try move(MDB_LAST, from: nil, body)
  }

  private func move<Result>(
    _ operation: MDB_cursor_op, from start: [UInt8]?,
    _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    try unsafe (start ?? []).withUnsafeBytes { bytes in
      var key = unsafe MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
      var value = unsafe MDB_val()
      let code = unsafe mdb_cursor_get(pointer, &key, &value, operation)
      guard try ResultCode.found(code, "walk over \(database)", in: folder) else { return nil }
      return try unsafe body(key.bytes, value.bytes)
    }
  }
}

/// Keys made of whole numbers.
public enum Key {
  /// Eight bytes, big-endian, so that keys sort as their numbers do.
  public static func number(_ value: UInt64) -> [UInt8] {
    unsafe withUnsafeBytes(of: value.bigEndian) { unsafe [UInt8]($0) }
  }

  /// The number that eight bytes stand for, from an offset on; nil where there are fewer.
  public static func number(in bytes: UnsafeRawBufferPointer, at offset: Int = 0) -> UInt64? {
    guard offset >= 0, bytes.count >= offset + 8 else { return nil }
    return unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
