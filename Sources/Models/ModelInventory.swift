import Files
import JSON
import SafeTensors

/// What a model folder holds, by the names of its files and the headers of its weights.
public struct ModelInventory: Sendable, Equatable {
  /// Names of the files, in byte order; hidden ones are left out.
  public let files: [String]
  /// Bytes of all of them.
  public let bytes: Int
  /// What `config.json` calls the type of the weights; nil where it calls it nothing.
  public let dtype: String?
  /// Elements of the weights.
  public let parameters: Int

  /// - Throws: a `Diagnostic` where there is no configuration, or a file of the weights is missing or damaged.
  public init(of directory: String) throws {
    let config = try ModelStore.document(ModelStore.configurationFile, in: directory)
    dtype = try (config.optional("dtype") ?? config.optional("torch_dtype"))?.string()
    parameters = try SafeTensorsCheckpoint(directory: directory).tensors.values.reduce(0) { $0 + $1.count }
    files = try File.list(directory).filter { !$0.hasPrefix(".") && !File.isFolder("\(directory)/\($0)") }
    bytes = files.reduce(0) { $0 + (File.size("\(directory)/\($1)") ?? 0) }
  }
}
