import Files
import JSON

/// A tokenizer of single letters, as files that models have beside them: 0 ends a text, letters follow from 1.
struct LetterTokenizer {
  let letters: [String]

  func write(to folder: String) throws {
    try File.makeFolder(folder)
    var ids: JSONObject = ["<|endoftext|>": 0]
    for (number, letter) in letters.enumerated() { ids[letter] = JSONValue(number + 1) }
    let tokenizer: JSONValue = [
      "version": "1.0",
      "added_tokens": [
        [
          "id": 0, "content": "<|endoftext|>", "special": true, "single_word": false, "lstrip": false, "rstrip": false,
          "normalized": false,
        ]
      ], "normalizer": nil, "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
      "post_processor": nil, "decoder": ["type": "ByteLevel"],
      "model": ["type": "BPE", "vocab": .object(ids), "merges": []],
    ]
    try File.write(tokenizer.serialized(), to: "\(folder)/tokenizer.json")
    try File.write(Array(#"{"eos_token":"<|endoftext|>"}"#.utf8), to: "\(folder)/tokenizer_config.json")
  }
}
