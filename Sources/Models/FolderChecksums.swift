import Diagnostics
import Files
import Fingerprints
import JSON

/// `checksums.json` of a model folder: bytes and XXH3-128 of every other file in it, written last. A checkpoint whose
/// files are not those that were written is not trained on, nor is a model whose weights are not. A folder within has a list of
/// its own, of which the outer one knows the checksum.
package enum FolderChecksums {
  package static let fileName = "checksums.json"
  private static let format = 1

  /// Writes the list of all files that lie in a finished folder.
  package static func write(for folder: String) throws {
    func measured(_ path: String) throws -> JSONValue {
      let (bytes, checksum) = try measure(path)
      return ["bytes": JSONValue(bytes), "xxh3_128": .string(checksum)]
    }
    var files = JSONObject(), folders = JSONObject()
    for name in try File.list(folder) where name != fileName {
      let path = "\(folder)/\(name)"
      if File.isFolder(path) {
        try write(for: path)
        folders[name] = try measured("\(path)/\(fileName)")
      } else {
        files[name] = try measured(path)
      }
    }
    var list: JSONObject = ["format": JSONValue(format), "files": .object(files)]
    // Left out where there is none: earlier versions have not known it.
    if folders.count > 0 { list["folders"] = .object(folders) }
    try File.write(
      JSONValue.object(list).serialized(pretty: true) + [UInt8(ascii: "\n")], to: "\(folder)/\(fileName)")
  }

  /// Compares every file with the list.
  ///
  /// - Parameters:
  ///   - required: Names that the list must have.
  ///   - remedy: What to do about a damaged checkpoint.
  /// - Returns: false where there is no list.
  /// - Throws: a `Diagnostic` of category `failure` with the first file that differs and both checksums, that is missing,
  ///   or that was not there when the checkpoint was written and would be read.
  package static func verify(_ folder: String, required: [String], remedy: String) throws -> Bool {
    let path = "\(folder)/\(fileName)"
    guard File.exists(path) else { return false }
    let list: (files: [Entry], folders: [Entry])
    do { list = try read(path) } catch let fault as Diagnostic {
      throw Diagnostic.failure(
        "the list of checksums is damaged: \(fault.message)", file: path, line: fault.line, field: fault.field,
        remedy: remedy)
    }
    for name in required where !list.files.contains(where: { $0.name == name }) {
      throw Diagnostic.failure("the list of checksums is damaged: \(name) is missing", file: path, remedy: remedy)
    }
    for file in list.files { try compare(file, at: "\(folder)/\(file.name)", remedy: remedy) }
    for inner in list.folders {
      let place = "\(folder)/\(inner.name)"
      try compare(inner, at: "\(place)/\(fileName)", remedy: remedy)
      _ = try verify(place, required: [], remedy: remedy)
    }
    let listed = Set(list.files.map { "\(folder)/\($0.name)" })
    guard let added = ModelStore.companionFiles(in: folder).first(where: { !listed.contains($0) }) else { return true }
    throw Diagnostic.failure(
      "was not there when the checkpoint was written", file: added, remedy: "remove the file, or \(remedy)")
  }

  /// Compares the weights alone, for a folder that a model is loaded from: beside them much may be changed with right.
  /// A file of that name that is no such list says nothing.
  ///
  /// - Throws: a `Diagnostic` of category `failure` with both checksums.
  static func verifyWeights(in folder: String) throws {
    let list = "\(folder)/\(fileName)", name = "model.safetensors"
    guard File.exists("\(folder)/\(name)"), File.exists(list), let files = try? read(list).files,
      let file = files.first(where: { $0.name == name })
    else { return }
    try compare(
      file, at: "\(folder)/\(name)",
      remedy: "use another checkpoint or copy; where the weights were changed on purpose, remove \(list)")
  }

  private static func compare(_ entry: Entry, at path: String, remedy: String) throws {
    let (bytes, checksum) = (entry.bytes, entry.checksum)
    guard File.exists(path) else {
      throw Diagnostic.failure("is missing from the checkpoint", file: path, remedy: remedy)
    }
    let found = try measure(path)
    guard found.bytes != bytes || found.checksum != checksum else { return }
    throw Diagnostic.failure(
      "is not what was written: \(found.bytes) bytes with the checksum \(found.checksum), where \(bytes) with \(checksum) were",
      file: path, remedy: remedy)
  }

  /// What a list says of a file, or of the list of a folder within.
  private typealias Entry = (name: String, bytes: Int, checksum: String)

  private static func read(_ path: String) throws -> (files: [Entry], folders: [Entry]) {
    let root = JSONField(try JSONValue.parse(try File.read(path), file: path), file: path)
    _ = try root.required("format").integer(in: format...format)
    func entries(_ field: JSONField?) throws -> [Entry] {
      try field?.members().map { name, field in
        guard File.isPlainName(name) else { throw field.diagnostic("is not the name of a file in this folder") }
        return (name, try field.required("bytes").integer(in: 0 ... .max), try field.required("xxh3_128").string())
      } ?? []
    }
    return (try entries(root.required("files")), try entries(root.optional("folders")))
  }

  private static func measure(_ path: String) throws -> (bytes: Int, checksum: String) {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    return unsafe (file.bytes.count, Fingerprint(of: file.bytes).description)
  }
}
