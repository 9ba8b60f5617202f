import Files
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
      "merges.txt", "tokenizer.model", "chat_template.jinja",
    ].map { "\(directory)/\($0)" }.filter(File.exists)
    let generation = [base, directory].compactMap { $0.map { "\($0)/\(generationFile)" } }.first(where: File.exists)
    return tokenizer + [generation].compactMap(\.self)
  }

  private static let generationFile = "generation_config.json"

  /// Writes a model as transformers reads it: `config.json` (every key kept, the stored type now float32),
  /// `model.safetensors`, and `generation_config.json`. Each file is written atomically, the weights before the
  /// configuration.
  ///
  /// What ends the model's texts is named by every file alike: of a `generation_config.json` in `extraFiles` that says
  /// otherwise all but `eos_token_id` is kept. So it is with the ids that the model is not to write, `suppress_tokens`.
  ///
  /// - Parameters:
  ///   - extraFiles: Paths of files to copy beside them, such as ``companionFiles(in:base:)`` of the model it came from.
  ///   - endToken: What the tokenizer's files among them are to name as `eos_token`; nil leaves them as they are.
  /// - Throws: a `Diagnostic` when a file cannot be read or written.
  public static func save(
    _ model: any CausalLanguageModel, to directory: String, extraFiles: [String] = [], endToken: String? = nil
  ) throws {
    try save(model, to: directory, companions: extraFiles.map(Companion.init), endToken: endToken)
  }

  /// As ``save(_:to:extraFiles:endToken:)`` with files that have been read: a long run saves them whatever becomes of the
  /// folder that they came from.
  public static func save(
    _ model: any CausalLanguageModel, to directory: String, companions: [Companion], endToken: String? = nil
  ) throws {
    try requireUnadapted(model, to: "be saved")
    try File.makeFolder(directory)
    for file in companions {
      try File.write(
        content(of: file, for: model.configuration, endToken: endToken), to: "\(directory)/\(file.name)")
    }
    if !companions.contains(where: { $0.name == generationFile }) {
      try write(generationConfiguration(model.configuration), to: "\(directory)/\(generationFile)")
    }
    try unsafe SafeTensorsWriter.write(
      to: "\(directory)/model.safetensors",
      tensors: model.parameters.parameters.map {
        unsafe ($0.name, $0.shape, .float32, UnsafeRawBufferPointer($0.value.elements))
      })
    try write(savedConfiguration(model.configuration), to: "\(directory)/config.json")
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

  private static func savedConfiguration(_ configuration: ModelConfiguration) -> JSONObject {
    var saved = configuration.raw
    // transformers 4 calls the stored type torch_dtype, transformers 5 dtype.
    saved[saved["torch_dtype"] == nil ? "dtype" : "torch_dtype"] = "float32"
    if saved["architectures"] == nil { saved["architectures"] = [.string(configuration.family.architecture)] }
    return saved
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

  /// The last part of its path.
  public var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}
