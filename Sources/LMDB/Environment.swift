import CLMDB
import Diagnostics

/// An LMDB store: one folder holding a few named databases, read by any number of processes while one writes.
///
/// All access is through ``read(_:)`` and ``write(durably:_:)``, whose transactions cannot outlive the closure. Values are lent
/// straight from the map, whose address never changes while the environment is open: a large range is reserved at
/// the start and the file grows into it.
///
/// Opening one folder several times in a process is allowed: the environments share the handle underneath, and the map
/// of the first. A store that is only read is open for reading alone; the first environment of a process that writes to
/// it makes the shared handle writable, for which it waits until no thread is inside ``read(_:)`` of this store.
public final class Environment: Sendable {
  /// How to open a store.
  public struct Options: Sendable {
    /// The databases that will be used, at most 16 over all environments of a folder in this process.
    public var databases: [String]
    /// Forbids ``Environment/write(durably:_:)`` and refuses a store that is not there instead of making it.
    public var readOnly: Bool
    /// Bytes of address space to reserve, which bound the size of the store; nil takes ``largestMap`` or, where a limit
    /// on address space forbids that, as large a part of it as can be had.
    public var mapSize: Int?

    /// 1 TiB. Reserving costs nothing; a 47-bit address space holds more than a hundred such stores.
    public static let largestMap = 1 << 40
    static let smallestMap = 1 << 28

    public init(databases: [String], readOnly: Bool = false, mapSize: Int? = nil) {
      self.databases = databases
      self.readOnly = readOnly
      self.mapSize = mapSize
    }
  }

  public let folder: String
  private let options: Options
  private let handle: Handle
  private let databases: [String: Database]

  /// Opens the store in `folder`, made (its last component) together with its databases unless read-only; clears what
  /// killed readers left.
  ///
  /// - Throws: a `Diagnostic` where the store is missing, damaged or cut short, lacks a database, or does not fit in the
  ///   address space. Nothing stays open then.
  /// - Precondition: unless read-only, this thread is not inside a ``read(_:)`` of this folder.
  public init(folder: String, _ options: Options) throws {
    self.folder = folder
    self.options = options
    (handle, databases) = try Handle.acquire(folder: folder, options: options)
  }

  deinit { handle.release() }

  /// A database named when the environment was opened.
  ///
  /// - Precondition: it was.
  public func database(_ name: String) -> Database {
    guard let database = databases[name] else {
      preconditionFailure("database \(name) was not among \(options.databases) when \(folder) was opened")
    }
    return database
  }

  /// Address space reserved, in bytes.
  public var mapSize: Int { handle.mapSize }

  /// Bytes of the file in use or free for reuse, as of the last transaction.
  public var fileBytes: Int {
    unsafe handle.using { environment in
      var information = unsafe MDB_envinfo(), statistics = MDB_stat()
      unsafe mdb_env_info(environment, &information)
      unsafe mdb_env_stat(environment, &statistics)
      return unsafe (information.me_last_pgno + 1) * Int(statistics.ms_psize)
    }
  }

  /// Walks over every page that the newest transaction can reach. Opening does so too, but for the pages of large values.
  ///
  /// - Throws: a `Diagnostic` of category `failure` for the first page that is not right.
  public func checkStructure() throws { try handle.checkStructure() }

  /// Runs `body` over a snapshot of the store: it sees the transactions committed before it began and no other. Any
  /// number may run at once, also beside a write; a long one keeps the pages it can see from being used again.
  ///
  /// - Throws: what `body` throws, or a `Diagnostic` of LMDB's.
  public func read<Result>(_ body: (borrowing ReadTransaction) throws -> Result) throws -> Result {
    unsafe try handle.using { environment in
      var pointer: OpaquePointer?
      try unsafe ResultCode.check(
        mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &pointer), "begin a transaction", in: folder)
      defer { unsafe mdb_txn_abort(pointer) }
      return try body(unsafe ReadTransaction(pointer!, handle: handle))
    }
  }

  /// Runs `body` in the only write transaction of all processes, waiting for its turn, and makes what it wrote durable
  /// and visible at once at its end. Where `body` throws, or any of its writes failed, nothing is changed.
  ///
  /// - Parameter durably: False leaves it to the system when what is written reaches the disk, until the next write that
  ///   waits for it: a killed process loses nothing, but a machine that loses power may leave a store that is damaged,
  ///   which only one that can be made again may be. No other thread may write to the store meanwhile.
  /// - Throws: what `body` throws, or a `Diagnostic`, such as of a full disk.
  /// - Precondition: the environment is not read-only, and this thread is not inside another write of this folder.
  public func write<Result>(
    durably: Bool = true, _ body: (inout WriteTransaction) throws -> Result
  ) throws -> Result {
    precondition(!options.readOnly, "\(folder) was opened for reading and cannot be written to")
    return unsafe try handle.writing { pointer in
      var transaction = unsafe WriteTransaction(pointer, handle: handle)
      let result: Result
      do {
        result = try body(&transaction)
        if let failure = transaction.failure { throw failure }
      } catch {
        unsafe mdb_txn_abort(pointer)
        throw error
      }
      // A flag of the environment, looked at while a transaction is committed.
      let environment = unsafe mdb_txn_env(pointer)
      if !durably { unsafe mdb_env_set_flags(environment, UInt32(MDB_NOSYNC), 1) }
      defer { if !durably { unsafe mdb_env_set_flags(environment, UInt32(MDB_NOSYNC), 0) } }
      try unsafe ResultCode.check(mdb_txn_commit(pointer), "commit", in: folder)
      return result
    }
  }
}
