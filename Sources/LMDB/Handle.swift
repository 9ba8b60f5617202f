import CLMDB
import Diagnostics
import Glibc
import Synchronization

/// An open `MDB_env`, shared by every ``Environment`` of this process over the same folder.
///
/// LMDB must not have one store open twice in a process (closing either would drop the other's file locks), so handles
/// are counted in a table keyed by the folder's device and inode, and opened and closed under its lock.
@safe final class Handle: @unchecked Sendable {
  // Sendable: an MDB_env may be used from any thread; what this class adds is atomic or guarded by the table's lock.
  let environment: OpaquePointer
  let folder: String
  let mapSize: Int
  /// False where the file system or the permissions allow reading only.
  let isWritable: Bool
  private let identity: FileIdentity
  /// `pthread_self` of the thread inside a write transaction, 0 where there is none.
  private let writer = Atomic<UInt>(0)

  private init(_ environment: OpaquePointer, folder: String, mapSize: Int, isWritable: Bool, identity: FileIdentity) {
    unsafe self.environment = environment
    self.folder = folder
    self.mapSize = mapSize
    self.isWritable = isWritable
    self.identity = identity
  }

  // MARK: Table of open handles

  private struct FileIdentity: Hashable {
    var device: UInt
    var inode: UInt
  }

  private struct Entry {
    var handle: Handle
    var users: Int
    var databases: [String: MDB_dbi] = [:]
  }

  private static let table = Mutex<[FileIdentity: Entry]>([:])

  /// The handle of a folder, opened if this process has none yet, and the named databases in it.
  static func acquire(folder: String, options: Environment.Options) throws -> (Handle, [String: Database]) {
    if !options.readOnly, unsafe mkdir(folder, 0o777) != 0, errno != EEXIST {
      throw ResultCode.diagnostic(errno, "make the store", in: folder)
    }
    var status = stat()
    guard unsafe stat(folder, &status) == 0 else { throw ResultCode.diagnostic(errno, "open the store", in: folder) }
    let identity = FileIdentity(device: UInt(status.st_dev), inode: UInt(status.st_ino))
    return try table.withLock { table in
      var entry =
        try table[identity]
        ?? Entry(handle: open(folder: folder, options: options, identity: identity), users: 0)
      do { try entry.handle.open(options, in: &entry.databases) } catch {
        if entry.users == 0 { entry.handle.close() }
        throw error
      }
      entry.users += 1
      table[identity] = entry
      let owner = ObjectIdentifier(entry.handle)
      let databases = options.databases.map { ($0, Database(name: $0, index: entry.databases[$0]!, owner: owner)) }
      return (entry.handle, Dictionary(uniqueKeysWithValues: databases))
    }
  }

  /// Gives the handle back; the last user closes it.
  func release() {
    Self.table.withLock { table in
      table[identity]!.users -= 1
      if table[identity]!.users == 0 {
        table[identity] = nil
        close()
      }
    }
  }

  private func close() { unsafe mdb_env_close(environment) }

  // MARK: Opening

  /// Reserves as much address space as asked for, or, where nothing was asked for, as much as can be had.
  private static func open(folder: String, options: Environment.Options, identity: FileIdentity) throws -> Handle {
    if options.readOnly, unsafe access("\(folder)/data.mdb", F_OK) != 0 {
      throw ResultCode.diagnostic(ENOENT, "open the store", in: folder)
    }
    var size = options.mapSize ?? Environment.Options.largestMap
    while true {
      do { return try open(folder: folder, size: size, identity: identity) } catch let refusal as OutOfAddressSpace {
        guard options.mapSize == nil, size > Environment.Options.smallestMap else {
          throw Diagnostic.failure(
            "cannot reserve \(size >> 20) MiB of address space for the store", file: folder,
            remedy: "lift the limit on address space (ulimit -v unlimited); \(refusal.reason)")
        }
        size /= 4
      }
    }
  }

  private struct OutOfAddressSpace: Error {
    var reason: String
  }

  private static func open(folder: String, size: Int, identity: FileIdentity) throws -> Handle {
    var created: OpaquePointer?
    try unsafe ResultCode.check(mdb_env_create(&created), "open the store", in: folder)
    guard let environment = unsafe created else { preconditionFailure("mdb_env_create succeeded without a handle") }
    do {
      for code in unsafe [
        mdb_env_set_mapsize(environment, size), mdb_env_set_maxdbs(environment, 16),
        mdb_env_set_maxreaders(environment, 512),
      ] { try ResultCode.check(code, "configure the store", in: folder) }
      let isWritable = unsafe access(folder, W_OK) == 0
      // Where no lock file can be made, nobody can write either, so a reader needs no lock.
      let flags = MDB_NOTLS | (isWritable ? 0 : MDB_RDONLY | (errno == EROFS ? MDB_NOLOCK : 0))
      let code = unsafe mdb_env_open(environment, folder, UInt32(flags), 0o666)
      if code == ENOMEM { throw unsafe OutOfAddressSpace(reason: String(cString: unsafe mdb_strerror(code))) }
      try ResultCode.check(code, "open the store", in: folder)
      // Readers that were killed leave their slots behind, and with them pages that could not be used again.
      try unsafe ResultCode.check(mdb_reader_check(environment, nil), "clean the table of readers", in: folder)
      try unsafe refuseTruncated(environment, folder: folder, isWritable: isWritable)
      return unsafe Handle(environment, folder: folder, mapSize: size, isWritable: isWritable, identity: identity)
    } catch {
      unsafe mdb_env_close(environment)
      throw error
    }
  }

  /// Refuses a file that ends well before its last page, as after an interrupted copy: touching the map there would
  /// kill the process. The last few pages may be missing with right, where they were freed before they were written:
  /// the file grows to hold them as zeros, which no page of LMDB's is, so that a cut shows as damage when it is read.
  private static func refuseTruncated(_ environment: OpaquePointer, folder: String, isWritable: Bool) throws {
    var information = unsafe MDB_envinfo(), statistics = MDB_stat(), status = stat(), descriptor: Int32 = -1
    unsafe mdb_env_info(environment, &information)
    unsafe mdb_env_stat(environment, &statistics)
    unsafe mdb_env_get_fd(environment, &descriptor)
    guard unsafe fstat(descriptor, &status) == 0 else { throw ResultCode.diagnostic(errno, "measure", in: folder) }
    let pageSize = Int(statistics.ms_psize), pages = unsafe information.me_last_pgno + 1
    if Int(status.st_size) / pageSize + 16 < pages {
      throw Diagnostic.failure(
        "the store is cut short: \(status.st_size) bytes where its last transaction knows \(pages * pageSize)",
        file: "\(folder)/data.mdb", remedy: "copy it again, or remove it and make it again")
    }
    let missing = pages * pageSize - Int(status.st_size)
    guard missing > 0, isWritable else { return }
    // This call never shortens a file, also where another process has grown it meanwhile.
    let code = posix_fallocate(descriptor, status.st_size, off_t(missing))
    if code != 0 { throw ResultCode.diagnostic(code, "extend the store", in: folder) }
  }

  /// Opens the named databases this process has not opened yet, making missing ones where that is allowed.
  private func open(_ options: Environment.Options, in known: inout [String: MDB_dbi]) throws {
    let wanted = options.databases.filter { known[$0] == nil }
    if wanted.isEmpty { return }
    var missing = try open(wanted, create: false, in: &known)
    if !missing.isEmpty && !options.readOnly {
      try refuseUnwritable()
      missing = try open(missing, create: true, in: &known)
    }
    if let name = missing.first {
      throw Diagnostic.failure(
        "the store holds no database named \(name)", file: folder, remedy: "check that the path names the right folder")
    }
  }

  /// Gives back the names that are not there.
  private func open(_ names: [String], create: Bool, in known: inout [String: MDB_dbi]) throws -> [String] {
    var pointer: OpaquePointer?
    let flags = create ? 0 : UInt32(MDB_RDONLY)
    try unsafe ResultCode.check(mdb_txn_begin(environment, nil, flags, &pointer), "begin a transaction", in: folder)
    var opened: [String: MDB_dbi] = [:]
    do {
      for name in names {
        var index: MDB_dbi = 0
        let code = unsafe mdb_dbi_open(pointer, name, create ? UInt32(MDB_CREATE) : 0, &index)
        if try ResultCode.found(code, "open the database \(name)", in: folder) { opened[name] = index }
      }
    } catch {
      unsafe mdb_txn_abort(pointer)
      throw error
    }
    try unsafe ResultCode.check(mdb_txn_commit(pointer), "open the databases", in: folder)
    known.merge(opened) { $1 }
    return names.filter { opened[$0] == nil }
  }

  // MARK: Writers

  func refuseUnwritable() throws {
    guard isWritable else { throw ResultCode.diagnostic(EACCES, "write to the store", in: folder) }
  }

  /// Marks this thread as the writer while `body` runs inside the transaction it is given.
  func writing<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
    let thread = UInt(pthread_self())
    precondition(
      writer.load(ordering: .relaxed) != thread,
      "a write transaction on \(folder) was begun inside another one of the same thread, and would wait for ever")
    var pointer: OpaquePointer?
    try unsafe ResultCode.check(mdb_txn_begin(environment, nil, 0, &pointer), "begin a transaction", in: folder)
    writer.store(thread, ordering: .relaxed)
    defer { writer.store(0, ordering: .relaxed) }
    return try unsafe body(pointer!)
  }
}
