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
    let descriptor = try SystemCall.check("open the file", path: path) { unsafe open(path, O_RDONLY | O_CLOEXEC) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      let count = try unsafe part.withUnsafeMutableBytes { buffer in
        try SystemCall.check("read the file", path: path) {
          unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        }
      }
      if count == 0 { return bytes }
      bytes += part.prefix(count)
    }
  }

  /// Writes a file so that readers see the old bytes or the new ones, also after a power cut: a temporary file beside
  /// it, fsync, rename, fsync of the folder.
  ///
  /// - Throws: a `Diagnostic`; the previous file is then untouched and the temporary one removed.
  public static func write(_ bytes: [UInt8], to path: String) throws {
    try unsafe bytes.withUnsafeBytes { buffer in
      try write(to: path) { writer in try unsafe writer.append(buffer) }
    }
  }

  /// As ``write(_:to:)-([UInt8],_)`` with the bytes produced piece by piece.
  public static func write(to path: String, _ body: (inout Writer) throws -> Void) throws {
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
    if result != 0 && !(errno == EEXIST && isFolder(path)) {
      throw SystemCall.diagnostic(code: errno, what: "make the folder", path: path)
    }
  }

  /// Renames a finished folder or file into place and makes the rename durable. The target must not exist, unless it is
  /// a file that `source`, a file too, replaces.
  public static func move(_ source: String, to target: String) throws {
    try SystemCall.check("rename \(source)", path: target) { unsafe rename(source, target) }
    try synchronizeFolder(of: target)
  }

  /// Puts a symbolic link at `path` that names `target`, replacing a link that stands there, in one step.
  public static func link(_ path: String, to target: String) throws {
    let temporary = "\(path).tmp-\(getpid())"
    _ = unsafe unlink(temporary)
    try SystemCall.check("make the link", path: temporary) { unsafe symlink(target, temporary) }
    try move(temporary, to: path)
  }

  /// Removes a file or a folder with all it holds; nothing at the path is no error.
  public static func remove(_ path: String) throws {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      for name in try list(path) { try remove("\(path)/\(name)") }
      try SystemCall.check("remove the folder", path: path) { unsafe rmdir(path) }
    } else {
      try SystemCall.check("remove the file", path: path) { unsafe unlink(path) }
    }
  }

  /// Names of a folder's entries in byte order, without `.` and `..`.
  public static func list(_ path: String) throws -> [String] {
    guard let handle = unsafe opendir(path) else {
      throw SystemCall.diagnostic(code: errno, what: "list the folder", path: path)
    }
    defer { _ = unsafe closedir(handle) }
    var names: [String] = []
    while let entry = unsafe readdir(handle) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe String(cString: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
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
    try SystemCall.check("flush the folder", path: parent) { fsync(descriptor) }
  }

  /// A sequential writer with a buffer of its own, lent by ``write(to:_:)``.
  public struct Writer {
    private let path: String
    private let descriptor: Int32
    private var pending: [UInt8] = []
    /// Bytes appended so far.
    public private(set) var count = 0

    fileprivate init(creating path: String) throws {
      self.path = path
      descriptor = try SystemCall.check("create the file", path: path) {
        unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
      }
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

    private mutating func flush() throws {
      try unsafe pending.withUnsafeBytes { buffer in try unsafe writeAll(buffer) }
      pending.removeAll(keepingCapacity: true)
    }

    private func writeAll(_ bytes: UnsafeRawBufferPointer) throws {
      var offset = 0
      while offset < bytes.count {
        offset += try SystemCall.check("write the file", path: path) {
          unsafe Glibc.write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
        }
      }
    }

    fileprivate func close() { _ = Glibc.close(descriptor) }

    fileprivate mutating func finish() throws {
      defer { close() }
      try flush()
      try SystemCall.check("flush the file", path: path) { fsync(descriptor) }
    }
  }
}
