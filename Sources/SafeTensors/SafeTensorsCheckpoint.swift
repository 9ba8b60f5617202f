import Diagnostics
public import Files
import JSON

/// The weights in a model folder: one `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
public final class SafeTensorsCheckpoint: Sendable {
  public let directory: String
  /// Every tensor by name; ranges are those within its own file.
  public let tensors: [String: TensorEntry]
  /// The notes of all files together.
  public let metadata: [String: String]
  /// The files read, in byte order of their names, the index not among them.
  public let paths: [String]
  private let files: [String: SafeTensorsFile]

  /// Opens the weights of a model folder; `model.safetensors` is preferred where both forms are there.
  ///
  /// - Throws: a `Diagnostic` when neither form is there, a shard is missing, a tensor is not where the index says, or
  ///   a file is damaged.
  public init(directory: String) throws {
    self.directory = directory
    let single = "\(directory)/model.safetensors"
    let index = "\(single).index.json"
    if File.exists(single) {
      let file = try SafeTensorsFile(path: single)
      files = file.tensors.mapValues { _ in file }
    } else if File.exists(index) {
      files = try Self.shards(index: index, directory: directory)
    } else {
      throw Diagnostic.input(
        "has neither model.safetensors nor model.safetensors.index.json", file: directory,
        remedy: "name a folder saved by Hugging Face transformers with safe serialization")
    }
    var metadata: [String: String] = [:]
    var tensors: [String: TensorEntry] = [:]
    for (name, file) in files {
      tensors[name] = try file.entry(name)
      metadata.merge(file.metadata) { first, _ in first }
    }
    self.tensors = tensors
    self.metadata = metadata
    paths = Set(files.values.map(\.path)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  private static func shards(index: String, directory: String) throws -> [String: SafeTensorsFile] {
    let root = JSONField(try JSONValue.parse(try File.read(index), file: index), file: index)
    var open: [String: SafeTensorsFile] = [:]
    var files: [String: SafeTensorsFile] = [:]
    for (tensor, field) in try root.required("weight_map").members() {
      let name = try field.string()
      guard File.isPlainName(name) else {
        throw field.diagnostic("must be the name of a file in the same folder, not \"\(name)\"")
      }
      let path = "\(directory)/\(name)"
      guard File.exists(path) else {
        throw field.diagnostic("names the shard \(name), which is not there", remedy: "download the missing shard")
      }
      let file = try open[name] ?? SafeTensorsFile(path: path)
      open[name] = file
      guard file.tensors[tensor] != nil else {
        throw field.diagnostic("names the shard \(name), which lacks the tensor")
      }
      files[tensor] = file
    }
    return files
  }

  /// The entry of a tensor.
  ///
  /// - Throws: a `Diagnostic` that names the folder and the tensor when it is not there.
  public func entry(_ name: String) throws -> TensorEntry { try file(name).entry(name) }

  /// Lends a tensor's bytes as they lie in the file, at any alignment.
  public func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    try unsafe file(name).withBytes(of: name, body)
  }

  /// A tensor's bytes as they lie in the file; see ``SafeTensorsFile/mapped(_:)``.
  public func mapped(_ name: String) throws -> (bytes: UnsafeRawBufferPointer, owner: MappedFile) {
    try unsafe file(name).mapped(name)
  }

  /// Reads a floating-point tensor as `Float`s; see ``SafeTensorsFile/readFloats(_:into:)``.
  public func readFloats(_ name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    try unsafe file(name).readFloats(name, into: destination)
  }

  /// As ``readFloats(_:into:)`` into an array of its own.
  public func floats(_ name: String) throws -> [Float] { try file(name).floats(name) }

  private func file(_ name: String) throws -> SafeTensorsFile {
    if let file = files[name] { return file }
    throw Diagnostic.input("the checkpoint has no such tensor", file: directory, field: name)
  }
}
