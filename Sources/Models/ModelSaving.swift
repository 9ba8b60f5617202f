import Diagnostics
import Files
import GGUF
import JSON
import SafeTensors
import Tensor

extension ModelStore {
  /// Files beside the weights that a copy of a model should keep: the tokenizer's and the generation settings.
  ///
  /// - Parameter base: The folder of the model the copy came from: its generation settings are kept where it has any, not
  ///   those beside the tokenizer.
  public static func companionFiles(in directory: String, base: String? = nil) -> [String] {
    let tokenizer = [
      "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
      "merges.txt", "tokenizer.model", "spiece.model", "chat_template.jinja",
    ].map { "\(directory)/\($0)" }.filter(File.exists)
    let generation = [base, directory].compactMap { $0.map { "\($0)/\(generationFile)" } }.first(where: File.exists)
    return tokenizer + [generation].compactMap(\.self)
  }

  /// The files that a copy of a model should keep, read: those of ``companionFiles(in:base:)``, and of a GGUF file the
  /// tokenizer's files that its metadata stand for.
  ///
  /// - Parameter place: A folder or a GGUF file.
  /// - Throws: a `Diagnostic` where one cannot be read, or the GGUF file's tokenizer is not supported.
  public static func companions(in place: String, base: String? = nil) throws -> [Companion] {
    let written = try GGUFFile.isNamed(by: place) ? GGUFFile(path: place).tokenizerFiles() : []
    return try written.map { Companion("\(place)/\($0.name)", bytes: $0.bytes) }
      + companionFiles(in: place, base: base).map(Companion.init)
  }

  private static let generationFile = "generation_config.json"
  static let configurationFile = "config.json"

  /// Writes a model as transformers reads it: `config.json` (every key kept in its place, that of the stored type saying
  /// what was written), `generation_config.json`, and the weights, each tensor under the name transformers saves it by, the
  /// head of a tied model not among them, a layer that is used twice once for each use. They are one `model.safetensors`, or shards and their index.
  ///
  /// The folder changes from the model it holds to the new one as a whole: the new files are written into a folder
  /// `.saving` within it, and where that does not come to its end, the model that was there is as it was. Then they are
  /// put in its place, `config.json`, without which nobody reads a model, removed first and put back last; weights of
  /// the earlier model that would be read with the new ones are removed between. One process saves at a time.
  ///
  /// What ends the model's texts is named by every file alike: of a `generation_config.json` in `extraFiles` that says
  /// otherwise all but `eos_token_id` is kept. So it is with the ids that the model is not to write, `suppress_tokens`.
  ///
  /// - Parameters:
  ///   - extraFiles: Paths of files to copy beside them, such as ``companionFiles(in:base:)`` of the model it came from.
  ///   - endToken: What the tokenizer's files among them are to name as `eos_token`; nil leaves them as they are.
  ///   - storage: Types and size of the files of weights; ``LoadedModel/storage`` gives back the types that were loaded.
  ///   - onPiece: Is told the bytes of weights that are on their way to the disk; what it throws ends the saving.
  /// - Throws: a `Diagnostic` when a file cannot be read or written, and for a weight that its type does not reach.
  public static func save(
    _ model: any CausalLanguageModel, to directory: String, extraFiles: [String] = [], endToken: String? = nil,
    storage: WeightStorage = .float32, onPiece: (_ bytes: Int) throws -> Void = { _ in }
  ) throws {
    try save(
      model, to: directory, companions: extraFiles.map(Companion.init), endToken: endToken, storage: storage,
      onPiece: onPiece)
  }

  /// As ``save(_:to:extraFiles:endToken:storage:onPiece:)`` with files that have been read: a long run saves them whatever
  /// becomes of the folder that they came from.
  public static func save(
    _ model: any CausalLanguageModel, to directory: String, companions: [Companion], endToken: String? = nil,
    storage: WeightStorage = .float32, onPiece: (_ bytes: Int) throws -> Void = { _ in }
  ) throws {
    try requireUnadapted(model, to: "be saved")
    let keys = try plan(of: model).keys
    let tensors = tensors(keys.inSavedOrder(model.savedParameters), storage: storage, owner: model)
    try StagedFolder.replace(in: directory, last: configurationFile, stale: SafeTensorsShards.isWeights) { folder in
      for file in companions {
        try File.write(content(of: file, for: model.configuration, endToken: endToken), to: "\(folder)/\(file.name)")
      }
      if !companions.contains(where: { $0.name == generationFile }) {
        try write(generationConfiguration(model.configuration), to: "\(folder)/\(generationFile)")
      }
      try write(tensors, storage: storage, to: folder, of: directory, onPiece: onPiece)
      // Of several types transformers names that of the first weight.
      let type = model.parameters.specifications.first.map { storage.type(of: $0.name) } ?? storage.type
      let configuration = model.configuration
      let named = configuration.raw["architectures"] != nil
      try writeConfiguration(
        configuration.raw, type, architecture: named ? nil : configuration.family.architecture, to: folder)
    }
  }

  /// Writes the files of weights into a folder that is to take the place of `directory`.
  static func write(
    _ tensors: [WritableTensor], storage: WeightStorage, to folder: String, of directory: String,
    onPiece: (_ bytes: Int) throws -> Void
  ) throws {
    do {
      try SafeTensorsShards(sizes: tensors.map(\.byteCount), limit: storage.maximumShardSize?.bytes)
        .write(tensors, to: folder, onPiece: onPiece)
    } catch var fault as Diagnostic where fault.field != nil {
      // A tensor's, whatever file it was on its way to.
      fault.file = directory
      throw fault
    }
  }

  /// Writes `config.json`: every key kept, that of the stored type saying what was written.
  ///
  /// - Parameter architecture: The class of transformers to name in it; nil leaves what it names.
  static func writeConfiguration(
    _ configuration: JSONObject, _ type: StoredType, architecture: String?, to folder: String
  ) throws {
    var saved = configuration
    // transformers 4 calls the stored type torch_dtype, transformers 5 dtype.
    let keys = ["torch_dtype", "dtype"].filter { saved[$0] != nil }
    for key in keys.isEmpty ? ["dtype"] : keys { saved[key] = .string(type.rawValue) }
    if let architecture { saved["architectures"] = [.string(architecture)] }
    try write(saved, to: "\(folder)/\(configurationFile)")
  }

  /// Bytes of weights that ``save(_:to:extraFiles:endToken:storage:onPiece:)`` writes.
  public static func savedBytes(of model: any CausalLanguageModel, storage: WeightStorage) -> Int {
    model.savedParameters.reduce(0) {
      $0 + $1.shape.reduce(storage.type(of: $1.name).element.size, *)
    }
  }

  /// Parameters as they are to be written.
  ///
  /// - Parameter owner: What holds their memory.
  static func tensors(_ parameters: [Parameter], storage: WeightStorage, owner: AnyObject) -> [WritableTensor] {
    parameters.map { parameter in
      let type = storage.type(of: parameter.name).element
      switch parameter.weights {
      case .fp32(let tensor):
        return unsafe WritableTensor(
          name: parameter.name, shape: parameter.shape, bytes: UnsafeRawBufferPointer(tensor.elements), held: .float32,
          as: type, owner: owner)
      case .bf16(let matrix):
        return unsafe WritableTensor(
          name: parameter.name, shape: parameter.shape, bytes: UnsafeRawBufferPointer(matrix.elements), held: .bfloat16,
          as: type, owner: owner)
      }
    }
  }

  /// A companion's bytes, changed only where it names another end of texts than the model saved.
  private static func content(
    of file: Companion, for configuration: ModelConfiguration, endToken: String?
  ) throws -> [UInt8] {
    let (path, bytes) = (file.path, file.bytes)
    switch file.name {
    case generationFile:
      let document = JSONField(try JSONValue.parse(bytes, file: path), file: path)
      let ends = configuration.eosTokenIDs
      let suppressed = configuration.suppressedTokenIDs
      // A file of a larger model may name what this one does not have: that is put right, not refused at a checkpoint.
      let size = configuration.vocabularySize
      let special = try? ModelConfiguration.specialTokens(document, vocabularySize: size)
      let namesEnds = special.map { ends.isEmpty || $0.eos == ends } ?? false
      let namesSuppressed =
        (try? ModelConfiguration.suppressedTokens(document, vocabulary: size)) == suppressed
      if namesEnds && namesSuppressed { return bytes }
      var object = try document.object()
      if !namesEnds { object["eos_token_id"] = ModelConfiguration.eosValue(ends) }
      if !namesSuppressed { object["suppress_tokens"] = suppressed.isEmpty ? nil : ids(suppressed) }
      return text(object)
    case "tokenizer_config.json", "special_tokens_map.json":
      guard let endToken, var object = try JSONValue.parse(bytes, file: path).objectValue,
        object["eos_token"].map({ $0 != .null }) == true
      else { return bytes }
      object["eos_token"] = .string(endToken)
      return text(object)
    default: return bytes
    }
  }

  private static func generationConfiguration(_ configuration: ModelConfiguration) -> JSONObject {
    var saved = JSONObject()
    saved["bos_token_id"] = configuration.bosTokenID.map { JSONValue(Int($0)) } ?? .null
    saved["eos_token_id"] = ModelConfiguration.eosValue(configuration.eosTokenIDs)
    if !configuration.suppressedTokenIDs.isEmpty { saved["suppress_tokens"] = ids(configuration.suppressedTokenIDs) }
    return saved
  }

  private static func write(_ object: JSONObject, to path: String) throws {
    try File.write(text(object), to: path)
  }

  private static func ids(_ ids: [Int32]) -> JSONValue { .array(ids.map { JSONValue(Int($0)) }) }

  private static func text(_ object: JSONObject) -> [UInt8] {
    JSONValue.object(object).serialized(pretty: true) + [UInt8(ascii: "\n")]
  }
}

/// A file that travels with a model, as it was when it was read.
public struct Companion: Sendable {
  /// Where it was read from.
  public let path: String
  public let bytes: [UInt8]

  /// Reads a file.
  ///
  /// - Throws: a `Diagnostic` where it cannot be read.
  public init(_ path: String) throws {
    self.path = path
    bytes = try File.read(path)
  }

  /// A file that would lie at a path, had it been written.
  public init(_ path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
  }

  /// The last part of its path.
  public var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}
