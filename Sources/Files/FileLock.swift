import Diagnostics
import Glibc

/// An exclusive lock on a file, held while this object lives and released by the kernel when the process dies.
public final class FileLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock at once, or fails; the file is made where missing and holds the owner's process id.
  ///
  /// What stands at the path and is no lock is left as it is: a link, a file of two names, a file with a content of its
  /// own.
  ///
  /// - Parameter owner: What the lock protects, for the message, such as `the run folder runs/a`.
  /// - Throws: a `Diagnostic` of category `input` that names the process holding it, or says why it is no lock.
  public init(path: String, owner: String) throws {
    descriptor = try Opening.own(path, O_RDWR | O_CREAT, "open the lock")
    // From here on deinit closes.
    try Self.take(descriptor, path: path, owner: owner)
    try Self.checkContent(descriptor, path: path)
    let text = Array("\(getpid())".utf8)
    _ = ftruncate(descriptor, 0)
    _ = unsafe text.withUnsafeBytes { bytes in unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, 0) }
  }

  deinit { close(descriptor) }

  /// Locks an open file for as long as it is open.
  ///
  /// - Parameter isNeeded: A file system without locks is refused.
  /// - Throws: a `Diagnostic` of category `input` that names the process holding it.
  static func take(_ descriptor: Int32, path: String, owner: String, isNeeded: Bool = true) throws {
    var patience = 20
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      if errno == EINTR { continue }
      // A child that this process is starting has its descriptors until it becomes another program: a lock just given back
      // may be held for that moment.
      if errno == EWOULDBLOCK, patience > 0, holder(of: descriptor).map({ $0 == Int(getpid()) }) ?? true {
        patience -= 1
        usleep(10_000)
        continue
      }
      if !isNeeded && [ENOSYS, ENOLCK, EOPNOTSUPP].contains(errno) { return }
      guard errno == EWOULDBLOCK else { throw SystemCall.diagnostic(code: errno, what: "lock the file", path: path) }
      throw Diagnostic.input(
        "\(owner) is in use by \(holder(of: descriptor).map { "process \($0)" } ?? "another process")", file: path,
        remedy: "wait for it, stop it, or choose another place")
    }
  }

  /// Refuses a file whose content would be lost.
  private static func checkContent(_ descriptor: Int32, path: String) throws {
    var status = stat()
    try SystemCall.check("look at the lock", path: path) { unsafe fstat(descriptor, &status) }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = try SystemCall.check("read the lock", path: path) {
      unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
    }
    let isOurs = count <= 20 && bytes.prefix(count).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard status.st_nlink <= 1 && isOurs else {
      throw Diagnostic.input(
        status.st_nlink > 1 ? "the lock is a file that has another name too" : "the lock holds something else",
        file: path, remedy: "remove it, or move it away")
    }
  }

  /// The process that holds a file's lock, by the kernel's list; nil where that does not tell, as from inside a
  /// container.
  private static func holder(of descriptor: Int32) -> Int? {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, let bytes = try? File.readToEnd("/proc/locks") else { return nil }
    // By the inode alone: some file systems tell a device here that is not the one in the list.
    // A set, since a list that changes while it is read may show a lock twice.
    let holders = Set(
      String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line -> Int? in
        // 1: FLOCK  ADVISORY  WRITE 4242 08:01:1234 0 EOF
        let words = line.split(separator: " ")
        guard words.count >= 6, words[1] == "FLOCK", words[5].hasSuffix(":\(status.st_ino)") else { return nil }
        return Int(words[4])
      })
    return holders.count == 1 ? holders.first { $0 > 0 } : nil
  }
}
