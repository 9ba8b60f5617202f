import CLMDB
import Diagnostics
import Files
import Glibc
import Synchronization

/// An open `MDB_env`, shared by the ``Environment``s of this process over the same store.
///
/// Who only reads opens the file for reading alone: nothing that goes wrong can then write to it. LMDB must not have one
/// store open twice in a process: the second opening finds no other process's lock and empties the table of readers, so
/// that pages the first one's readers see would be used again. So there is one handle a store, and the first writer
/// exchanges its environment for one that writes. Handles are counted in a table keyed by the device and inode of
/// `data.mdb`, which no other store can have while the handle has it open: a folder may be replaced meanwhile.
@safe final class Handle: @unchecked Sendable {
  // Sendable: an MDB_env may be used from any thread; it is exchanged only while no thread uses it, under `turn`; what
  // else changes is atomic or guarded by the table's lock.
  private var environment: OpaquePointer
  let folder: String
  let mapSize: Int
  /// False where it was opened for reading.
  private var isWritable: Bool
  /// Held for reading while `environment` is used, for writing while it is exchanged.
  private let turn: UnsafeMutablePointer<pthread_rwlock_t>
  /// `pthread_self` of the thread inside a write transaction, 0 where there is none.
  private let writer = Atomic<UInt>(0)

  private init(_ environment: OpaquePointer, folder: String, mapSize: Int, isWritable: Bool) {
    unsafe self.environment = environment
    self.folder = folder
    self.mapSize = mapSize
    self.isWritable = isWritable
    unsafe turn = .allocate(capacity: 1)
    unsafe pthread_rwlock_init(turn, nil)
  }

  deinit {
    unsafe pthread_rwlock_destroy(turn)
    unsafe turn.deallocate()
  }

  // MARK: Table of open handles

  private struct FileIdentity: Hashable {
    var device: UInt
    var inode: UInt

    /// Nil where no file is there yet, as before a store is made.
    init?(folder: String) {
      var status = stat()
      guard unsafe stat("\(folder)/data.mdb", &status) == 0 else { return nil }
      device = UInt(status.st_dev)
      inode = UInt(status.st_ino)
    }
  }

  private struct Entry {
    var handle: Handle
    var users = 0
    var databases: [String: MDB_dbi] = [:]
  }

  private static let table = Mutex<[FileIdentity: Entry]>([:])

  /// The handle of a folder, opened if this process has none yet, and the named databases in it.
  static func acquire(folder: String, options: Environment.Options) throws -> (Handle, [String: Database]) {
    if !options.readOnly, unsafe mkdir(folder, 0o777) != 0, errno != EEXIST {
      throw ResultCode.diagnostic(errno, "make the store", in: folder)
    }
    return try table.withLock { table in
      var entry =
        try FileIdentity(folder: folder).flatMap { table[$0] }
        ?? Entry(handle: open(folder: folder, options: options))
      do {
        if !options.readOnly { try entry.handle.makeWritable(entry.databases) }
        try entry.handle.open(options, in: &entry.databases)
        guard let identity = FileIdentity(folder: folder) else {
          throw ResultCode.diagnostic(ENOENT, "open the store", in: folder)
        }
        entry.users += 1
        table[identity] = entry
      } catch {
        if entry.users == 0 { entry.handle.close() }
        throw error
      }
      let owner = ObjectIdentifier(entry.handle)
      let databases = options.databases.map { ($0, Database(name: $0, index: entry.databases[$0]!, owner: owner)) }
      return (entry.handle, Dictionary(uniqueKeysWithValues: databases))
    }
  }

  /// Gives the handle back; the last user closes it.
  func release() {
    Self.table.withLock { table in
      // By the handle, not by its folder, where another store may stand by now.
      guard let identity = table.first(where: { $0.value.handle === self })?.key else {
        preconditionFailure("the store \(folder) was given back more often than taken")
      }
      table[identity]!.users -= 1
      if table[identity]!.users == 0 {
        table[identity] = nil
        close()
      }
    }
  }

  private func close() { unsafe mdb_env_close(environment) }

  /// Runs `body` with the environment, which stays open and the same meanwhile.
  func using<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    unsafe pthread_rwlock_rdlock(turn)
    defer { unsafe pthread_rwlock_unlock(turn) }
    return unsafe try body(environment)
  }

  /// Closes an environment that only reads and opens one that writes in its place, once no thread uses it.
  private func makeWritable(_ databases: [String: MDB_dbi]) throws {
    if isWritable { return }
    unsafe pthread_rwlock_wrlock(turn)
    defer { unsafe pthread_rwlock_unlock(turn) }
    close()
    var refusal: (any Error)?
    do {
      unsafe environment = try Self.opened(folder: folder, size: mapSize, readOnly: false)
      isWritable = true
    } catch {
      refusal = error
      guard let before = unsafe try? Self.opened(folder: folder, size: mapSize, readOnly: true) else {
        fatalError("the store \(folder), open for reading, could not be opened again: \(error)")
      }
      unsafe environment = before
    }
    // In the order of their indices the databases get the same ones again, which others hold.
    var known: [String: MDB_dbi] = [:]
    let missing = try open(databases.sorted { $0.value < $1.value }.map(\.key), create: false, in: &known)
    precondition(missing.isEmpty && known == databases, "\(folder) has other databases than before: \(known)")
    if let refusal { throw refusal }
  }

  // MARK: Opening

  /// Reserves as much address space as asked for, or, where nothing was asked for, as much as can be had.
  private static func open(folder: String, options: Environment.Options) throws -> Handle {
    try refuseLinks(in: folder)
    if unsafe access("\(folder)/data.mdb", F_OK) == 0 {
      // An empty file is a store that was killed before its first page.
      if options.readOnly || File.size("\(folder)/data.mdb") != 0 { try PageFile(folder: folder).checkMetas() }
    } else if options.readOnly {
      throw ResultCode.diagnostic(ENOENT, "open the store", in: folder)
    }
    var size = options.mapSize ?? Environment.Options.largestMap
    while true {
      do {
        return unsafe Handle(
          try opened(folder: folder, size: size, readOnly: options.readOnly), folder: folder, mapSize: size,
          isWritable: !options.readOnly)
      } catch let refusal as OutOfAddressSpace {
        guard options.mapSize == nil, size > Environment.Options.smallestMap else {
          throw Diagnostic.failure(
            "cannot reserve \(size >> 20) MiB of address space for the store", file: folder,
            remedy: "lift the limit on address space (ulimit -v unlimited); \(refusal.reason)")
        }
        size /= 4
      }
    }
  }

  /// Neither of a store's files may be a link that leads elsewhere: what is written through it would be somebody else's.
  private static func refuseLinks(in folder: String) throws {
    for name in ["data.mdb", "lock.mdb"] {
      let path = "\(folder)/\(name)"
      guard let found = FileKind(at: path, following: false), found != .regular else { continue }
      throw Diagnostic.input(
        "is no regular file", file: path, remedy: "put the store's own file there, or name another folder")
    }
  }

  private struct OutOfAddressSpace: Error {
    var reason: String
  }

  private static func opened(folder: String, size: Int, readOnly: Bool) throws -> OpaquePointer {
    do {
      return unsafe try opened(folder: folder, size: size, flags: readOnly ? MDB_RDONLY : 0)
    } catch is NoLock {
      // Where the table of readers cannot be written, reading goes on without a place in it: a writer elsewhere does not
      // know of this reader then, and a long read beside it may find pages used again.
      return unsafe try opened(folder: folder, size: size, flags: MDB_RDONLY | MDB_NOLOCK)
    }
  }

  /// The lock file cannot be opened for writing.
  private struct NoLock: Error {}

  private static func opened(folder: String, size: Int, flags: Int32) throws -> OpaquePointer {
    var created: OpaquePointer?
    try unsafe ResultCode.check(mdb_env_create(&created), "open the store", in: folder)
    guard let environment = unsafe created else { preconditionFailure("mdb_env_create succeeded without a handle") }
    do {
      for code in unsafe [
        mdb_env_set_mapsize(environment, size), mdb_env_set_maxdbs(environment, 16),
        mdb_env_set_maxreaders(environment, 512),
      ] { try ResultCode.check(code, "configure the store", in: folder) }
      let code = unsafe mdb_env_open(environment, folder, UInt32(MDB_NOTLS | flags), 0o666)
      if code == ENOMEM { throw unsafe OutOfAddressSpace(reason: String(cString: unsafe mdb_strerror(code))) }
      if [EACCES, EPERM, EROFS].contains(code), flags == MDB_RDONLY { throw NoLock() }
      try ResultCode.check(code, "open the store", in: folder)
      // Readers that were killed leave their slots behind, and with them pages that could not be used again.
      try unsafe ResultCode.check(mdb_reader_check(environment, nil), "clean the table of readers", in: folder)
      try unsafe checkStructure(environment, folder: folder, touchesValues: false)
      if flags & MDB_RDONLY == 0 { try unsafe extend(environment, folder: folder) }
      return unsafe environment
    } catch {
      unsafe mdb_env_close(environment)
      throw error
    }
  }

  /// Walks over the pages before LMDB follows them: on a damaged one it may end the process, or write elsewhere. Values
  /// that have pages of their own need not be touched, so that this takes little beside what reading them takes.
  private static func checkStructure(_ environment: OpaquePointer, folder: String, touchesValues: Bool) throws {
    for attempt in 1...5 {
      var transaction: OpaquePointer?
      try unsafe ResultCode.check(
        mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction), "begin a transaction", in: folder)
      defer { unsafe mdb_txn_abort(transaction) }
      let id = UInt64(unsafe mdb_txn_id(transaction))
      // A new store has no transaction yet.
      if id == 0 { return }
      do {
        // Under the transaction nobody uses the pages again that it can reach.
        let file = try PageFile(folder: folder)
        var check = StructureCheck(file, try file.meta(of: id), touchesValues: touchesValues)
        return try check.run()
      } catch {
        // Two commits of another process overwrite the meta page of this transaction: the next one is newer.
        var newer = unsafe MDB_envinfo()
        unsafe mdb_env_info(environment, &newer)
        guard attempt < 5, UInt64(unsafe newer.me_last_txnid) > id else { throw error }
      }
    }
  }

  /// Walks over the pages of the newest transaction, the first page of every large value included.
  func checkStructure() throws {
    try unsafe using { try unsafe Self.checkStructure($0, folder: folder, touchesValues: true) }
  }

  /// Grows a file whose last pages were freed before they were written, so that touching the map there does not kill the
  /// process; zeros are no page of LMDB's.
  private static func extend(_ environment: OpaquePointer, folder: String) throws {
    var information = unsafe MDB_envinfo(), statistics = MDB_stat(), status = stat(), descriptor: Int32 = -1
    unsafe mdb_env_info(environment, &information)
    unsafe mdb_env_stat(environment, &statistics)
    unsafe mdb_env_get_fd(environment, &descriptor)
    guard unsafe fstat(descriptor, &status) == 0 else { throw ResultCode.diagnostic(errno, "measure", in: folder) }
    let missing = (unsafe information.me_last_pgno + 1) * Int(statistics.ms_psize) - Int(status.st_size)
    guard missing > 0 else { return }
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

  /// Marks this thread as the writer while `body` runs inside the transaction it is given.
  func writing<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
    unsafe try using { environment in
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
}
