import Diagnostics
import GGUF
import Glibc
import JSON

/// The model of a GGUF file as transformers would have it: its `config.json` and its weights.
struct GGUFModel {
  let configuration: JSONField
  let weights: GGUFWeights

  static let headTensor = "output.weight"
  private static let embeddingTensor = "token_embd.weight"

  /// Reads the metadata; no weight is unpacked yet.
  ///
  /// - Throws: a `Diagnostic` for what is damaged, missing, or of a kind that is not supported.
  init(_ file: GGUFFile) throws {
    let architecture = try GGUFArchitecture.of(file)
    let parameters = GGUFHyperparameters(file, architecture: architecture.name)
    var config = try architecture.configuration(parameters)
    let queries = try parameters.size("attention.head_count")
    let keys = try parameters.optionalSize("attention.head_count_kv") ?? queries
    try parameters.refuseRest()
    let isTied = try Self.isTied(file)
    config["vocab_size"] = JSONValue(try file.entry(Self.embeddingTensor).shape[0])
    config["tie_word_embeddings"] = .bool(isTied)
    try Self.addSpecialTokens(of: file.metadata, to: &config)
    weights = try GGUFWeights(file, architecture.tensors, heads: (queries, keys), isTied: isTied)
    configuration = JSONField(.object(config), file: file.path)
  }

  /// Whether the head is the embedding: it is not there, or a copy of it, as older converters left one.
  private static func isTied(_ file: GGUFFile) throws -> Bool {
    guard let head = file.tensors[headTensor] else { return true }
    let embedding = try file.entry(embeddingTensor)
    guard head.type == embedding.type, head.shape == embedding.shape else { return false }
    let (first, second) = unsafe (try file.mapped(headTensor), try file.mapped(embeddingTensor))
    guard let one = unsafe first.bytes.baseAddress, let other = unsafe second.bytes.baseAddress else { return true }
    return unsafe memcmp(one, other, first.bytes.count) == 0
  }

  private static func addSpecialTokens(of metadata: GGUFMetadata, to config: inout JSONObject) throws {
    func id(_ name: String) throws -> JSONValue? {
      try metadata.integer("tokenizer.ggml.\(name)_token_id", in: 0...Int(Int32.max)).map { JSONValue($0) }
    }
    config["bos_token_id"] = try id("bos") ?? .null
    // What ends a turn of a conversation, or waits for a tool, ends a text too.
    var ends: [JSONValue] = []
    for end in try ["eos", "eot", "eom"].compactMap(id) where !ends.contains(end) { ends.append(end) }
    config["eos_token_id"] = ends.count > 1 ? .array(ends) : ends.first ?? .null
    config["pad_token_id"] = try id("padding")
  }
}
