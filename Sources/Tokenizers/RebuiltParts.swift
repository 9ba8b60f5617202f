import JSON

/// The parts of a tokenizer.json that some classes of transformers 5.24 make anew, of tokenizer_config.json and of defaults,
/// whatever the file says: those of Llama, T5 and Gemma take the vocabulary, the merges and the post-processor alone.
///
/// The classes of BERT's and GPT-2's kin, which make one step anew, are in ``TokenizerCompanions``.
struct RebuiltParts: Sendable {
  private enum Class: String { case llama = "LlamaTokenizer", t5 = "T5Tokenizer", gemma = "GemmaTokenizer" }

  /// Models whose tokenizers transformers reads as the file has them, whatever class is named (of those that are read
  /// here, and of their kin).
  static let plainModels: Set = [
    "gpt_bigcode", "granite", "mistral", "mixtral", "modernbert", "olmo", "olmo2", "phi3", "stablelm", "umt5",
  ]

  private let named: Class?
  private let isLegacy: Bool
  private let addsPrefixSpace: Bool

  /// Nothing is made anew.
  init() {
    named = nil
    isLegacy = false
    addsPrefixSpace = true
  }

  /// - Parameters:
  ///   - configuration: The root of tokenizer_config.json.
  ///   - model: `model_type` of config.json.
  init(_ configuration: JSONField, model: String?) throws {
    let name = try configuration.optional("tokenizer_class")?.string()
    let isPlain = model.map(Self.plainModels.contains) ?? false
    named = isPlain ? nil : name.flatMap { Class(rawValue: $0.hasSuffix("Fast") ? String($0.dropLast(4)) : $0) }
    isLegacy = try configuration.optional("legacy")?.bool() ?? false
    addsPrefixSpace = try configuration.optional("add_prefix_space")?.bool() ?? true
  }

  /// The parts by their keys; none that is as the file has it.
  ///
  /// A class that does not fit the kind of the model changes nothing: transformers makes of such a file what no model was
  /// trained with.
  ///
  /// - Parameters:
  ///   - root: A tokenizer.json but for its model.
  ///   - model: Its model.
  func parts(of root: JSONField, _ model: any TokenModel) -> JSONObject {
    guard named == .t5 ? model is UnigramModel : model is BytePairModel else { return [:] }
    var changed = JSONObject()
    for entry in made(of: root).entries where entry.value != root.value[entry.key] ?? nil {
      changed[entry.key] = entry.value
    }
    return changed
  }

  private func made(of root: JSONField) -> JSONObject {
    switch named {
    case nil: return [:]
    case .llama:
      if Self.isByteLevel(root.value["pre_tokenizer"]) || Self.isByteLevel(root.value["decoder"]) { return [:] }
      let scheme = addsPrefixSpace ? isLegacy ? "always" : "first" : "never"
      return [
        "normalizer": nil, "pre_tokenizer": Self.metaspace(scheme, splits: false),
        "decoder": Self.decoder(strips: addsPrefixSpace),
      ]
    case .t5:
      return [
        "normalizer": Self.charsmap(root.value["normalizer"]) ?? nil,
        "pre_tokenizer": [
          "type": "Sequence",
          "pretokenizers": [["type": "WhitespaceSplit"], Self.metaspace("always", splits: true)],
        ],
        "decoder": Self.metaspace("always", splits: true),
      ]
    case .gemma:
      return [
        "normalizer": Self.replace(" ", by: "▁"),
        "pre_tokenizer": [
          "type": "Split", "pattern": ["String": " "], "behavior": "MergedWithPrevious", "invert": false,
        ],
        "decoder": Self.decoder(strips: false),
      ]
    }
  }

  static func metaspace(_ scheme: String, splits: Bool) -> JSONValue {
    ["type": "Metaspace", "replacement": "▁", "prepend_scheme": .string(scheme), "split": .bool(splits)]
  }

  private static func replace(_ text: String, by content: String) -> JSONValue {
    ["type": "Replace", "pattern": ["String": .string(text)], "content": .string(content)]
  }

  private static func decoder(strips: Bool) -> JSONValue {
    var steps: [JSONValue] = [replace("▁", by: " "), ["type": "ByteFallback"], ["type": "Fuse"]]
    if strips { steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0]) }
    return ["type": "Sequence", "decoders": .array(steps)]
  }

  private static func isByteLevel(_ part: JSONValue?) -> Bool {
    guard let part else { return false }
    if part["type"]?.stringValue == "ByteLevel" { return true }
    let steps = part["pretokenizers"]?.arrayValue ?? part["decoders"]?.arrayValue ?? []
    return steps.contains { $0["type"]?.stringValue == "ByteLevel" }
  }

  /// The first step by SentencePiece's table, which is all that is kept of a normalizer.
  private static func charsmap(_ normalizer: JSONValue?) -> JSONValue? {
    let steps = normalizer?["normalizers"]?.arrayValue ?? [normalizer].compactMap(\.self)
    return steps.first { $0["type"]?.stringValue == "Precompiled" }
  }
}
