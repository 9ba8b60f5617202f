import CLMDB
import Diagnostics
import Glibc

/// The one place where LMDB's result codes become diagnostics.
enum ResultCode {
  /// Passes a code of 0 and throws every other.
  ///
  /// - Parameter what: What was tried, in words that follow "cannot".
  static func check(_ code: Int32, _ what: String, in folder: String) throws {
    if code != MDB_SUCCESS { throw diagnostic(code, what, in: folder) }
  }

  /// As ``check(_:_:in:)``, with "not found" as an answer: false.
  static func found(_ code: Int32, _ what: String, in folder: String) throws -> Bool {
    if code == MDB_NOTFOUND { return false }
    try check(code, what, in: folder)
    return true
  }

  static func diagnostic(_ code: Int32, _ what: String, in folder: String) -> Diagnostic {
    let reason = unsafe String(cString: mdb_strerror(code))
    switch code {
    case MDB_MAP_FULL:
      return .failure(
        "cannot \(what): the address space reserved for the store is full", file: folder,
        remedy:
          "lift the limit on address space (ulimit -v unlimited) or ask for a larger map, and run again; what was committed is kept"
      )
    case MDB_KEYEXIST:
      return .failure(
        "cannot \(what): the key is there already, so the store is not what its counters say", file: folder,
        remedy: "run decant cache repair where it is a cache, or restore it from a copy")
    case MDB_MAP_RESIZED:
      return .failure(
        "cannot \(what): another process has grown the store beyond the address space reserved here", file: folder,
        remedy: "lift the limit on address space (ulimit -v unlimited) and run again")
    case ENOSPC, EDQUOT:
      return .failure(
        "cannot \(what): the disk is full", file: folder,
        remedy: "free some space and run the same command again; what was committed is kept")
    case EFBIG:
      return .failure(
        "cannot \(what): the file would be larger than is allowed here", file: folder,
        remedy:
          "raise the limit (ulimit -f), or choose a file system that takes larger files, and run the same command again; what was committed is kept"
      )
    case EIO:
      // LMDB says so too where a write ended halfway, as on a disk that has just become full.
      return .failure(
        "cannot \(what): the disk took only a part of it, or failed", file: folder,
        remedy:
          "free some space, lift the limit on file sizes (ulimit -f) or mend the disk, and run the same command again; what was committed is kept"
      )
    case MDB_READERS_FULL:
      return .failure(
        "cannot \(what): too many processes and threads read the store at once", file: folder,
        remedy: "end some of them")
    case MDB_INVALID, MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_PANIC:
      return .failure(
        "cannot \(what): the store is damaged (\(reason))", file: folder,
        remedy: "restore it from a copy, or remove it and make it again")
    case MDB_VERSION_MISMATCH:
      return .failure("cannot \(what): the store was written by another version of LMDB", file: folder)
    case ENOENT, ENOTDIR:
      return .input("cannot \(what): there is no store", file: folder, remedy: "check the path")
    case EACCES, EPERM, EROFS:
      return .input(
        "cannot \(what): \(reason)", file: folder, remedy: "check the permissions, or choose another folder")
    default:
      return .failure("cannot \(what): \(reason)", file: folder)
    }
  }
}
