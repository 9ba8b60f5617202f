import Files
import JSON
import Models
import RandomStreams
public import TestSupport
import Tokenizers

/// A folder with everything a run needs, small enough for a test: a tokenizer, a teacher, a student and rows.
///
/// The models are random, with weights large enough that their distributions are far from uniform.
public struct TinyWorld: Sendable {
  public let folder: TemporaryFolder
  /// Teacher of two layers, student of one, both with the tokenizer beside them.
  public var teacher: String { folder.file("teacher") }
  public var student: String { folder.file("student") }
  /// Prompt and response rows.
  public var train: String { folder.file("train.jsonl") }
  public var validation: String { folder.file("validation.jsonl") }

  /// - Parameter rows: Training rows; a quarter as many to validate.
  public init(rows: Int, seed: UInt64 = 1) throws {
    folder = try TemporaryFolder()
    let lines = Self.lines(rows + rows / 4, seed: seed)
    try File.write(Array(lines.prefix(rows).joined().utf8), to: folder.file("train.jsonl"))
    try File.write(Array(lines.suffix(rows / 4).joined().utf8), to: folder.file("validation.jsonl"))
    let tokenizer = try BPETrainer.trainByteLevel(texts: lines, vocabularySize: 300, specialTokens: ["<|endoftext|>"])
    try Self.write(model: folder.file("teacher"), hidden: 32, layers: 2, seed: seed, tokenizer: tokenizer)
    try Self.write(model: folder.file("student"), hidden: 16, layers: 1, seed: seed + 1, tokenizer: tokenizer)
  }

  /// Writes an encoder of one layer, with a WordPiece tokenizer of single characters, and gives its folder.
  public func encoder() throws -> String {
    let path = folder.file("encoder")
    let configuration: JSONObject = [
      "model_type": "bert", "vocab_size": 200, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1,
      "num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.2,
    ]
    var stream = RandomStream(seed: 1, name: "initialization")
    try ModelStore.save(try ModelStore.makeEncoder(configuration, stream: &stream, trainable: false), to: path)
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    let characters = (0x21...0x7E).map { String(Character(Unicode.Scalar(UInt8($0)))) }
    let tokens = special + characters + characters.map { "##\($0)" }
    let tokenizer: JSONValue = [
      "model": [
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": .object(JSONObject(tokens.enumerated().map { ($0.element, JSONValue($0.offset)) })),
      ],
      "normalizer": ["type": "BertNormalizer", "lowercase": false], "pre_tokenizer": ["type": "BertPreTokenizer"],
      "post_processor": ["type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]],
      "decoder": ["type": "WordPiece", "prefix": "##", "cleanup": false],
    ]
    try File.write(tokenizer.serialized(), to: "\(path)/tokenizer.json")
    return path
  }

  private static func lines(_ count: Int, seed: UInt64) -> [String] {
    var stream = RandomStream(seed: seed, name: "rows")
    let names = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"], things = ["red kite", "old map", "green stone", "lamp"]
    return (0..<count).map { index in
      let name = names[stream.below(names.count)], thing = things[stream.below(things.count)]
      let many = 2 + stream.below(40)
      return
        "{\"prompt\":\"Who has \(many) of the \(thing)s, number \(index)?\",\"response\":\" \(name) has \(many) \(thing)s.\"}\n"
    }
  }

  private static func write(model path: String, hidden: Int, layers: Int, seed: UInt64, tokenizer: JSONValue) throws {
    let configuration: JSONObject = [
      "model_type": "llama", "vocab_size": 300, "hidden_size": JSONValue(hidden),
      "intermediate_size": JSONValue(2 * hidden),
      "num_hidden_layers": JSONValue(layers), "num_attention_heads": 4, "num_key_value_heads": 2,
      "max_position_embeddings": 96, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
      "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.2,
    ]
    var stream = RandomStream(seed: seed, name: "initialization")
    try ModelStore.save(try ModelStore.make(configuration, stream: &stream, trainable: false), to: path)
    try File.write(tokenizer.serialized(), to: "\(path)/tokenizer.json")
    try File.write(
      Array("{\"eos_token\":\"<|endoftext|>\",\"tokenizer_class\":\"PreTrainedTokenizerFast\"}".utf8),
      to: "\(path)/tokenizer_config.json")
  }
}
