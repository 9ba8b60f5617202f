import Diagnostics
import Glibc
import Synchronization

/// Holds on versions, of any number of readers in any number of processes.
///
/// Byte N of the file `pins.lock` stands for version N: whoever reads the version has a shared lock on it, whoever prunes
/// asks for an exclusive one. The locks are those of an open file description (`F_OFD_SETLK`), so one descriptor carries
/// the holds of all versions that are read through a store, and the kernel gives them up when the process dies. The file
/// stays empty.
final class Pins: Sendable {
  private let path: String
  private let state = Mutex(State())

  private struct State {
    var descriptor: Int32?
    /// Readers of each version that is held: the kernel does not count locks of one description.
    var readers: [Int: Int] = [:]
  }

  init(in directory: String) { path = Self.path(in: directory) }

  private static func path(in directory: String) -> String { "\(directory)/pins.lock" }

  deinit { state.withLock { state in if let descriptor = state.descriptor { close(descriptor) } } }

  /// Makes the file, so that readers who may not write can hold versions too.
  static func prepare(in directory: String) throws {
    close(try open(path(in: directory), O_RDWR | O_CREAT))
  }

  /// Takes part in holding a version; waits out a prune that is removing it right now, so the caller then looks whether
  /// it is still there. Where there is no file and none can be made, for want of permission, nothing is held.
  func hold(_ version: Int) throws {
    try state.withLock { state in
      if state.readers[version] == nil {
        if state.descriptor == nil { state.descriptor = try Self.openToHold(path) }
        if let descriptor = state.descriptor {
          try Self.lock(descriptor, F_RDLCK, version, waiting: true, path)
        }
      }
      state.readers[version, default: 0] += 1
    }
  }

  /// Gives one reader's part back.
  func release(_ version: Int) {
    state.withLock { state in
      guard let readers = state.readers[version] else { return }
      state.readers[version] = readers > 1 ? readers - 1 : nil
      guard readers == 1, let descriptor = state.descriptor else { return }
      _ = try? Self.lock(descriptor, F_UNLCK, version, waiting: false, path)
    }
  }

  /// Runs `body` while nobody holds the version; false without running it where somebody does.
  static func whileFree(_ version: Int, in directory: String, _ body: () throws -> Void) throws -> Bool {
    let path = path(in: directory)
    let descriptor = try open(path, O_RDWR | O_CREAT)
    defer { close(descriptor) }
    guard try lock(descriptor, F_WRLCK, version, waiting: false, path) else { return false }
    try body()
    return true
  }

  // MARK: Calls

  /// `F_OFD_SETLK` and `F_OFD_SETLKW` of fcntl.h, which Swift's Glibc does not show.
  private static let setLock: Int32 = 37, setLockWaiting: Int32 = 38

  /// Nil where there is no file and none may be made.
  private static func openToHold(_ path: String) throws -> Int32? {
    // A shared lock needs a file that may be read; only to make one takes permission to write.
    if unsafe access(path, F_OK) == 0 { return try open(path, O_RDONLY) }
    let folder = String(path.dropLast("/pins.lock".count))
    return unsafe access(folder, W_OK) == 0 ? try open(path, O_RDONLY | O_CREAT) : nil
  }

  /// Opens the file itself, never one that a link at its place leads to.
  private static func open(_ path: String, _ flags: Int32) throws -> Int32 {
    let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else {
      let code = errno
      guard code != ELOOP else {
        throw Diagnostic.input("is a link, which is not followed", file: path, remedy: "remove the link")
      }
      throw Diagnostic.input(
        "cannot hold versions: \(unsafe String(cString: strerror(code)))", file: path,
        remedy: "check the permissions of the folder")
    }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw Diagnostic.input("is not a regular file", file: path, remedy: "remove it")
    }
    return descriptor
  }

  /// False where another description has the byte and `waiting` is false.
  @discardableResult
  private static func lock(
    _ descriptor: Int32, _ kind: Int32, _ version: Int, waiting: Bool, _ path: String
  ) throws -> Bool {
    var byte = Glibc.flock(
      l_type: Int16(kind), l_whence: Int16(SEEK_SET), l_start: off_t(version), l_len: 1, l_pid: 0)
    while unsafe fcntl(descriptor, waiting ? setLockWaiting : setLock, &byte) != 0 {
      let code = errno
      if code == EINTR { continue }
      if !waiting && (code == EAGAIN || code == EACCES) { return false }
      throw Diagnostic.failure(
        "cannot hold version \(version): \(unsafe String(cString: strerror(code)))", file: path,
        remedy: "keep the store on a local disk, whose files can be locked")
    }
    return true
  }
}
