import Diagnostics
import Glibc

/// Whole-file and folder operations that either happen completely or not at all.
public enum File {
  /// The contents of a file.
  ///
  /// - Throws: a `Diagnostic` when the file cannot be read.
  public static func read(_ path: String) throws -> [UInt8] {
    let file = try MappedFile(path: path)
    return unsafe [UInt8](file.bytes)
  }

  /// The contents of a file whose size is not known beforehand, such as those of `/proc`.
  ///
  /// - Throws: a `Diagnostic` when the file cannot be read.
  public static func readToEnd(_ path: String) throws -> [UInt8] {
    let descriptor = try SystemCall.check("open the file", path: path) {
      unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    }
    defer { close(descriptor) }
    return try readToEnd(descriptor, path: path)
  }

  /// What is left to read of an open file; waits for the writers of a pipe, and no signal is kept from its handler.
  static func readToEnd(_ descriptor: Int32, path: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = unsafe part.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return bytes }
      if count > 0 {
        bytes += part.prefix(count)
      } else if errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&waiting, 1, -1)
      } else if errno != EINTR {
        throw SystemCall.diagnostic(code: errno, what: "read the file", path: path)
      }
    }
  }

  /// Writes a file so that readers see the old bytes or the new ones, also after a power cut: a temporary file beside
  /// it, fsync, rename, fsync of the folder.
  ///
  /// A link at the path is replaced, not followed; anything else that is no regular file is left as it is.
  ///
  /// - Throws: a `Diagnostic`; the previous file is then untouched and the temporary one removed.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    try unsafe bytes.withUnsafeBytes { buffer in
      try write(to: path) { writer in try unsafe writer.append(buffer) }
    }
  }

  /// The temporary files that processes which were killed while they wrote a file left beside it.
  ///
  /// Only where nobody is writing the file: another's would be among them.
  public static func leftovers(of path: String) throws -> [String] {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[..<$0]) } ?? "."
    let prefix = "\(slash.map { String(path[path.index(after: $0)...]) } ?? path).tmp-"
    return try list(folder).filter { $0.hasPrefix(prefix) && Int($0.dropFirst(prefix.count)) != nil }
      .map { slash == nil ? $0 : "\(folder)/\($0)" }
  }

  /// As ``write(_:to:)-([UInt8],_)`` with the bytes produced piece by piece.
  public static func write(to path: String, _ body: (inout Writer) throws -> Void) throws {
    try requireReplaceable(path)
    let temporary = "\(path).tmp-\(getpid())"
    do {
      var writer = try Writer(creating: temporary)
      do { try body(&writer) } catch {
        writer.close()
        throw error
      }
      try writer.finish()
      try SystemCall.check("rename the file into place", path: path) { unsafe rename(temporary, path) }
      try synchronizeFolder(of: path)
    } catch {
      _ = unsafe unlink(temporary)
      throw error
    }
  }

  /// Refuses what a new file would replace and that is neither a file nor a link.
  ///
  /// - Throws: a `Diagnostic` of category `input` that says what stands at the path.
  public static func requireReplaceable(_ path: String) throws {
    if let found = FileKind(at: path, following: false), found != .regular && found != .link {
      throw found.refusal(path)
    }
  }

  /// True where something stands at the path.
  public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// True where a folder stands at the path.
  public static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Size of a file in bytes, nil where there is none.
  public static func size(_ path: String) -> Int? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  /// Makes a folder and every missing folder above it.
  public static func makeFolder(_ path: String) throws {
    if isFolder(path) { return }
    let parent = folder(of: path)
    if parent != path { try makeFolder(parent) }
    let result = unsafe mkdir(path, 0o777)
    if result != 0 && errno == EEXIST, let found = FileKind(at: path, following: true), found != .folder {
      throw Diagnostic.input(
        "is \(found.rawValue), not a folder", file: path, remedy: "remove it, or choose another folder")
    }
    if result != 0 && !(errno == EEXIST && isFolder(path)) {
      throw SystemCall.diagnostic(code: errno, what: "make the folder", path: path)
    }
  }

  /// Renames a finished folder or file into place and makes the rename durable. The target must not exist, unless it is
  /// a file that `source`, a file too, replaces.
  ///
  /// - Parameter lasting: False leaves it to a later ``synchronizeFolder(of:)``, for one of several.
  public static func move(_ source: String, to target: String, lasting: Bool = true) throws {
    try SystemCall.check("rename \(source)", path: target) { unsafe rename(source, target) }
    if lasting { try synchronizeFolder(of: target) }
  }

  /// Puts a symbolic link at `path` that names `target`, replacing a link that stands there, in one step.
  public static func link(_ path: String, to target: String) throws {
    let temporary = "\(path).tmp-\(getpid())"
    _ = unsafe unlink(temporary)
    try SystemCall.check("make the link", path: temporary) { unsafe symlink(target, temporary) }
    try move(temporary, to: path)
  }

  /// Removes a file or a folder with all it holds; nothing at the path is no error. Links are removed, not followed.
  public static func remove(_ path: String) throws { try FolderEntries.remove(path) }

  /// Names of a folder's entries in byte order, without `.` and `..`.
  ///
  /// A name that is not UTF-8, which no file of ours has, is left out: it could not be given back as it is.
  public static func list(_ path: String) throws -> [String] {
    try FolderEntries.names(path).compactMap { String(validating: $0, as: UTF8.self) }
  }

  /// The folder part of a path, `.` where it has none.
  public static func folder(of path: String) -> String {
    var end = path.utf8.endIndex
    while end > path.utf8.startIndex, path.utf8[path.utf8.index(before: end)] == UInt8(ascii: "/"),
      path.utf8.index(before: end) > path.utf8.startIndex
    { end = path.utf8.index(before: end) }
    let trimmed = path[..<end]
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }

  /// Makes a rename or creation inside a folder durable.
  public static func synchronizeFolder(of path: String) throws {
    let parent = folder(of: path)
    let descriptor = try SystemCall.check("open the folder", path: parent) {
      unsafe open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    }
    defer { close(descriptor) }
    try SystemCall.synchronize(descriptor, "flush the folder", path: parent)
  }

  /// A sequential writer with a buffer of its own, lent by ``write(to:_:)``.
  public struct Writer {
    let path: String
    private let descriptor: Int32
    private var pending: [UInt8] = []
    /// Bytes appended so far.
    public private(set) var count = 0

    /// Makes the file anew; what an earlier process left under its name goes, whatever it was.
    fileprivate init(creating path: String) throws {
      _ = unsafe unlink(path)
      self.init(
        descriptor: try SystemCall.check("create the file", path: path) {
          unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
        }, path: path)
    }

    /// Takes an open file over.
    init(descriptor: Int32, path: String) {
      self.path = path
      self.descriptor = descriptor
    }

    /// Appends bytes.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
      count += bytes.count
      if pending.count + bytes.count > 1 << 20 { try flush() }
      if bytes.count > 1 << 20 { try unsafe writeAll(bytes) } else { unsafe pending.append(contentsOf: bytes) }
    }

    /// Appends bytes.
    public mutating func append(_ bytes: [UInt8]) throws {
      try unsafe bytes.withUnsafeBytes { buffer in try unsafe append(buffer) }
    }

    /// Appends a text's UTF-8 bytes.
    public mutating func append(_ text: String) throws { try append(Array(text.utf8)) }

    mutating func flush() throws {
      try unsafe pending.withUnsafeBytes { buffer in try unsafe writeAll(buffer) }
      pending.removeAll(keepingCapacity: true)
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) throws {
      try unsafe SystemCall.writeAll(bytes, to: descriptor, path: path)
    }

    func close() { _ = Glibc.close(descriptor) }

    mutating func finish() throws {
      defer { close() }
      try flush()
      try SystemCall.synchronize(descriptor, "flush the file", path: path)
    }
  }
}
