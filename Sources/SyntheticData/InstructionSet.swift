import Diagnostics
import Files
import JSON
import Tokenizers

/// The instruction set as it lies on disk: rows, and a tokenizer learnt from them.
public enum InstructionSet {
  /// The token that ends a response, and the tokenizer's only special one.
  public static let endOfText = "<|endoftext|>"

  /// Writes `teacher.jsonl`, `train.jsonl`, `dev.jsonl` and `test.jsonl` into a folder, each whole or not at all.
  ///
  /// - Throws: a `Diagnostic` where the folder cannot be written.
  public static func write(_ rows: [Split: [InstructionRow]], to folder: String) throws {
    try File.makeFolder(folder)
    for split in Split.allCases {
      try File.write(to: "\(folder)/\(split.rawValue).jsonl") { writer in
        for row in rows[split] ?? [] { try writer.append(row.json.serialized() + [UInt8(ascii: "\n")]) }
      }
    }
  }

  /// How many tokens a tokenizer of the rows can have: the 256 bytes and the end of text, and what merges add to them.
  public static let vocabularySizes = 257...65_536

  /// Learns a byte-level BPE from the rows that models are trained on and writes `tokenizer.json` and
  /// `tokenizer_config.json`, which Hugging Face transformers loads as they stand.
  ///
  /// - Parameter vocabularySize: Number of tokens, the 256 bytes and the end of text included.
  /// - Throws: a `Diagnostic` where the size has no room for the bytes, where the rows are too few to fill it, or where
  ///   the folder cannot be written.
  public static func writeTokenizer(
    learntFrom rows: [Split: [InstructionRow]], vocabularySize: Int = 1_200, to folder: String
  ) throws {
    guard vocabularySizes.contains(vocabularySize) else {
      throw Diagnostic.input(
        "cannot make a vocabulary of \(vocabularySize) tokens", field: "vocabulary_size",
        remedy: "choose 257 to 65536; 257 holds the bytes and the end of text alone")
    }
    let texts = [Split.teacher, .train].flatMap { rows[$0] ?? [] }.map { row in
      [row.instruction, row.input, row.output].filter { !$0.isEmpty }.joined(separator: "\n")
    }
    let tokenizer = try BPETrainer.trainByteLevel(
      texts: texts, vocabularySize: vocabularySize, specialTokens: [endOfText])
    let learnt = tokenizer["model"]?["vocab"]?.objectValue?.count ?? 0
    guard learnt == vocabularySize else {
      throw Diagnostic.input(
        "\(texts.count) rows give only \(learnt) of \(vocabularySize) tokens", field: "vocabulary_size",
        remedy: "make more rows or choose a smaller vocabulary")
    }
    let configuration: JSONValue = [
      "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": .string(endOfText), "pad_token": .string(endOfText),
      "bos_token": .null, "unk_token": .null, "clean_up_tokenization_spaces": false, "model_max_length": 128,
    ]
    try File.makeFolder(folder)
    try File.write(tokenizer.serialized(), to: "\(folder)/tokenizer.json")
    try File.write(configuration.serialized(pretty: true), to: "\(folder)/tokenizer_config.json")
  }
}
