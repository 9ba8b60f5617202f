import Diagnostics
import Glibc

extension MappedFile {
  /// Writes a file that has no name, so that nothing of it stays behind however this process ends, and maps it.
  ///
  /// - Parameters:
  ///   - folder: The folder whose file system takes it; nil for the one that `TMPDIR` names, by default `/tmp`.
  ///   - path: What the bytes are of, for messages.
  /// - Throws: a `Diagnostic`, such as of a full disk, and what `body` throws.
  public static func unnamed(
    in folder: String? = nil, of path: String, _ body: (inout File.Writer) throws -> Void
  ) throws -> MappedFile {
    let descriptor = try TemporaryFile.open(in: folder)
    defer { close(descriptor) }
    var writer = File.Writer(descriptor: descriptor, path: folder ?? TemporaryFile.folder)
    do {
      try body(&writer)
      try writer.flush()
    } catch let fault as Diagnostic where fault.category == .failure && folder == nil && fault.file == writer.path {
      throw Diagnostic.failure(
        "\(fault.message), for the decompressed content of \(path)", file: fault.file,
        remedy: "free some space there, or set TMPDIR to a folder that has room")
    }
    return try MappedFile(descriptor: descriptor, path: path)
  }
}

extension File {
  /// Makes a folder of its own where temporary files go: the folder that `TMPDIR` names, by default `/tmp`.
  ///
  /// - Returns: Its path; whoever asked for it removes it.
  /// - Throws: a `Diagnostic` where none can be made.
  public static func makeTemporaryFolder() throws -> String {
    var template = Array("\(TemporaryFile.folder)/decant-XXXXXX".utf8CString)
    try SystemCall.check("make a temporary folder", path: TemporaryFile.folder) {
      unsafe mkdtemp(&template) == nil ? Int32(-1) : 0
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// A file without a name.
enum TemporaryFile {
  /// Where such files go unless somebody says otherwise.
  static var folder: String {
    guard let named = unsafe getenv("TMPDIR") else { return "/tmp" }
    let text = unsafe String(cString: named)
    return text.isEmpty ? "/tmp" : text
  }

  /// A new one, open for reading and writing.
  static func open(in folder: String?) throws -> Int32 {
    let folder = folder ?? Self.folder
    var template = Array("\(folder)/decant-XXXXXX".utf8CString)
    let descriptor = try SystemCall.check("make a temporary file", path: folder) {
      unsafe template.withUnsafeMutableBufferPointer { unsafe mkstemp($0.baseAddress!) }
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = unsafe template.withUnsafeBufferPointer { unsafe unlink($0.baseAddress!) }
    return descriptor
  }
}
