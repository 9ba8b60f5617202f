import Diagnostics
import Glibc

/// What a folder holds, by names as the bytes they are.
enum FolderEntries {
  /// Names in byte order, without `.` and `..`.
  static func names(_ path: String) throws -> [[UInt8]] {
    guard let handle = unsafe opendir(path) else {
      throw SystemCall.diagnostic(code: errno, what: "list the folder", path: path)
    }
    defer { _ = unsafe closedir(handle) }
    return unsafe names(handle).sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Removes a file or a folder with all it holds.
  static func remove(_ path: String) throws {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      try SystemCall.check("remove the file", path: path) { unsafe unlink(path) }
      return
    }
    let descriptor = try SystemCall.check("list the folder", path: path) {
      unsafe open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    }
    try empty(descriptor, path: path)
    try SystemCall.check("remove the folder", path: path) { unsafe rmdir(path) }
  }

  private static func names(_ handle: OpaquePointer) -> [[UInt8]] {
    var names: [[UInt8]] = []
    while let entry = unsafe readdir(handle) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        let bytes = unsafe UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
        return unsafe [UInt8](
          UnsafeBufferPointer(start: bytes, count: strlen(UnsafeRawPointer(bytes).assumingMemoryBound(to: CChar.self))))
      }
      if name != [UInt8(ascii: ".")] && name != Array("..".utf8) { names.append(name) }
    }
    return names
  }

  /// Removes all that an open folder holds, and closes it. Entries are reached from the folder, not by a path that
  /// somebody could bend meanwhile.
  private static func empty(_ descriptor: Int32, path: String) throws {
    guard let handle = unsafe fdopendir(descriptor) else {
      let code = errno
      close(descriptor)
      throw SystemCall.diagnostic(code: code, what: "list the folder", path: path)
    }
    defer { _ = unsafe closedir(handle) }
    for name in unsafe names(handle) {
      let entry = "\(path)/\(String(decoding: name, as: UTF8.self))"
      try unsafe (name + [0]).withUnsafeBytes { bytes in
        let name = unsafe bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
        if unsafe unlinkat(descriptor, name, 0) == 0 { return }
        let code = errno
        let inner = unsafe openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard inner >= 0 else { throw SystemCall.diagnostic(code: code, what: "remove the file", path: entry) }
        try empty(inner, path: entry)
        try SystemCall.check("remove the folder", path: entry) { unsafe unlinkat(descriptor, name, AT_REMOVEDIR) }
      }
    }
  }
}
