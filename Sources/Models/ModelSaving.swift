import Files
import JSON
import SafeTensors
import Tensor

extension ModelStore {
  /// Files beside the weights that a copy of a model should keep: the tokenizer's and the generation settings.
  public static func companionFiles(in directory: String) -> [String] {
    [
      "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
      "merges.txt", "tokenizer.model", "chat_template.jinja", "generation_config.json",
    ].map { "\(directory)/\($0)" }.filter(File.exists)
  }

  /// Writes a model as transformers reads it: `config.json` (every key kept, the stored type now float32),
  /// `model.safetensors`, and `generation_config.json` where `extraFiles` brings none. Each file is written atomically,
  /// the weights before the configuration.
  ///
  /// - Parameter extraFiles: Paths of files to copy beside them, such as ``companionFiles(in:)`` of the model it came
  ///   from.
  /// - Throws: a `Diagnostic` when a file cannot be read or written.
  public static func save(
    _ model: any CausalLanguageModel, to directory: String, extraFiles: [String] = []
  ) throws {
    try File.makeFolder(directory)
    for path in extraFiles { try File.write(try File.read(path), to: "\(directory)/\(fileName(path))") }
    if !extraFiles.contains(where: { fileName($0) == "generation_config.json" }) {
      try write(generationConfiguration(model.configuration), to: "\(directory)/generation_config.json")
    }
    try unsafe SafeTensorsWriter.write(
      to: "\(directory)/model.safetensors",
      tensors: model.parameters.parameters.map {
        unsafe ($0.name, $0.shape, .float32, UnsafeRawBufferPointer($0.value.elements))
      })
    try write(savedConfiguration(model.configuration), to: "\(directory)/config.json")
  }

  private static func savedConfiguration(_ configuration: ModelConfiguration) -> JSONObject {
    var saved = configuration.raw
    // transformers 4 calls the stored type torch_dtype, transformers 5 dtype.
    saved[saved["torch_dtype"] == nil ? "dtype" : "torch_dtype"] = "float32"
    if saved["architectures"] == nil {
      saved["architectures"] = configuration.family == .gpt2 ? ["GPT2LMHeadModel"] : ["LlamaForCausalLM"]
    }
    return saved
  }

  private static func generationConfiguration(_ configuration: ModelConfiguration) -> JSONObject {
    var saved = JSONObject()
    saved["bos_token_id"] = configuration.bosTokenID.map { JSONValue(Int($0)) } ?? .null
    let eos = configuration.eosTokenIDs.map { JSONValue(Int($0)) }
    saved["eos_token_id"] = eos.count > 1 ? .array(eos) : eos.first ?? .null
    return saved
  }

  private static func write(_ object: JSONObject, to path: String) throws {
    try File.write(JSONValue.object(object).serialized(pretty: true) + [UInt8(ascii: "\n")], to: path)
  }

  private static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
}
