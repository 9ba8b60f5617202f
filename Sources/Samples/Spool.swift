import Files
import Glibc

/// Files made from files: what rows are read from where they cannot be read from the file itself.
enum Spool {
  /// Maps a file that `body` writes: under its name in a folder, where it is found again, or without a name.
  ///
  /// - Parameters:
  ///   - name: Names the content that it is made from: what is there under this name is taken as it is.
  ///   - path: The file that it is made from, for messages.
  /// - Throws: a `Diagnostic`, such as of a full disk, and what `body` throws; nothing is left behind then.
  static func file(
    _ name: String, in folder: String?, of path: String, _ body: (inout File.Writer) throws -> Void
  ) throws -> MappedFile {
    guard let folder else { return try MappedFile.unnamed(of: path, body) }
    let kept = "\(folder)/\(name)"
    if !File.exists(kept) {
      try File.makeFolder(folder)
      try removeAbandoned(name, in: folder)
      try File.write(to: kept, body)
    }
    return try MappedFile(path: kept)
  }

  /// Names of spools begin so.
  static let decompressed = "unpacked-"
  static let lines = "lines-"

  /// Removes the spools of a folder that a data set does not read from: those of what its files held before. Who reads
  /// from them keeps what is mapped.
  static func removeOthers(in folder: String, keeping names: Set<String>) throws {
    for entry in try File.list(folder) where entry.hasPrefix(decompressed) || entry.hasPrefix(lines) {
      let isBeingWritten = entry.contains(".tmp-")
      if !isBeingWritten && !names.contains(entry) { try File.remove("\(folder)/\(entry)") }
    }
  }

  /// Removes what killed processes left half written, an hour after they last wrote to it.
  private static func removeAbandoned(_ name: String, in folder: String) throws {
    for entry in try File.list(folder) where entry.hasPrefix("\(name).tmp-") {
      var status = stat()
      guard unsafe stat("\(folder)/\(entry)", &status) == 0, time(nil) - status.st_mtim.tv_sec > 3600 else { continue }
      try File.remove("\(folder)/\(entry)")
    }
  }
}
