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

  /// Writes all bytes, waiting where the descriptor takes no more at the moment.
  ///
  /// - Throws: a `Diagnostic` of category `unread` where the reader of a pipe has gone, and as ``check(_:path:_:)``.
  static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String) throws {
    var offset = 0
    while offset < bytes.count {
      let written = unsafe write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
      if written >= 0 {
        offset += written
      } else if errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&waiting, 1, -1)
      } else if errno != EINTR {
        throw diagnostic(code: errno, what: "write the file", path: path)
      }
    }
  }

  /// Makes what was written durable, where there is anything to be made so: a pipe, a device and some file systems'
  /// folders have no such thing.
  static func synchronize(_ descriptor: Int32, _ what: String, path: String) throws {
    while fsync(descriptor) != 0 {
      if errno == EINVAL || errno == EROFS || errno == ENOTSUP { return }
      if errno != EINTR { throw diagnostic(code: errno, what: what, path: path) }
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
    case EPIPE:
      return Diagnostic(.unread, "cannot \(what): nobody reads it any more", file: path)
    case EISDIR, ELOOP, ENXIO, ENAMETOOLONG:
      return .input("cannot \(what): \(reason)", file: path, remedy: "name a file")
    case ENOMEM:
      return .failure(
        "cannot \(what): there is no memory for it", file: path,
        remedy: "raise the limit (ulimit -v, the container's memory), or use smaller files")
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
