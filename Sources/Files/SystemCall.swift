import Diagnostics
import Glibc

/// The one place where errno becomes a diagnostic.
enum SystemCall {
  /// Runs a call that returns -1 on error, again when a signal interrupted it.
  ///
  /// - Throws: a `Diagnostic` that names `path`, the call and the reason; category `failure` for trouble of the machine
  ///   (disk full, I/O), `input` for what the user can mend by naming another path.
  @discardableResult
  static func check<Result: FixedWidthInteger>(_ what: String, path: String, _ call: () -> Result) throws -> Result {
    while true {
      let result = call()
      if result != -1 { return result }
      let code = errno
      if code == EINTR { continue }
      throw diagnostic(code: code, what: what, path: path)
    }
  }

  static func diagnostic(code: Int32, what: String, path: String) -> Diagnostic {
    let reason = unsafe String(cString: strerror(code))
    switch code {
    case ENOENT, ENOTDIR:
      return .input("cannot \(what): no such file or folder", file: path, remedy: "check the path")
    case EACCES, EPERM, EROFS:
      return .input("cannot \(what): \(reason)", file: path, remedy: "check the permissions, or choose another folder")
    case ENOSPC, EDQUOT:
      return .failure(
        "cannot \(what): the disk is full", file: path,
        remedy: "free some space and run the same command again; nothing written so far is lost")
    case EFBIG:
      return .failure(
        "cannot \(what): the file would be larger than is allowed here", file: path,
        remedy:
          "raise the limit (ulimit -f), or choose a file system that takes larger files, and run the same command again"
      )
    default:
      return .failure("cannot \(what): \(reason)", file: path)
    }
  }
}
