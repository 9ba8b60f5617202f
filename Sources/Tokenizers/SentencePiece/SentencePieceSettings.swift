import Diagnostics
import Files
import JSON

/// What the files beside a SentencePiece model say of how it is used, as transformers 5 reads them.
struct SentencePieceSettings {
  /// The classes of transformers that make a tokenizer of such a model each in a way of its own.
  enum Family: Sendable {
    /// Any other class, or none: the model's own settings hold, so that ids are those of SentencePiece itself, but that the
    /// names of control pieces in a text are these pieces.
    case general
    case llama
    case t5
    case gemma
  }

  private(set) var family = Family.general
  /// Whether every part of a text between added tokens gets a space at its front, or the first alone; nil where the family
  /// decides.
  private(set) var isLegacy: Bool?
  private(set) var addsPrefixSpace = true
  private(set) var addsBegin = false
  private(set) var addsEnd = false
  /// How many `<extra_id_0>`, `<extra_id_1>` ... T5 has behind its pieces.
  private(set) var extraIDs = 100
  /// The named special tokens, by the key that names them.
  private(set) var named: [String: String] = [:]

  /// Keys of the named special tokens, in the order in which those that no piece has get their ids.
  static let names = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]

  private static let families: [String: Family] = [
    "LlamaTokenizer": .llama, "T5Tokenizer": .t5, "MT5Tokenizer": .t5, "GemmaTokenizer": .gemma,
  ]
  private static let models: [String: Family] = [
    "t5": .t5, "mt5": .t5, "gemma": .gemma, "gemma2": .gemma, "gemma3": .gemma, "gemma3_text": .gemma,
    "gemma3n": .gemma, "gemma3n_text": .gemma,
  ]
  /// Classes whose ways are not known here: most put tokens of their own before the pieces.
  private static let others: Set = [
    "AlbertTokenizer", "BarthezTokenizer", "BartphoTokenizer", "BertGenerationTokenizer", "BigBirdTokenizer",
    "CamembertTokenizer", "CodeLlamaTokenizer", "CpmTokenizer", "DebertaV2Tokenizer", "FNetTokenizer",
    "GPTSw3Tokenizer",
    "LasrTokenizer", "LayoutXLMTokenizer", "M2M100Tokenizer", "MBart50Tokenizer", "MBartTokenizer", "MLukeTokenizer",
    "MarianTokenizer", "NllbTokenizer", "PLBartTokenizer", "PegasusTokenizer", "ReformerTokenizer", "RemBertTokenizer",
    "SeamlessM4TTokenizer", "SiglipTokenizer", "Speech2TextTokenizer", "SpeechT5Tokenizer", "UdopTokenizer",
    "VideoPrismTokenizer", "XGLMTokenizer", "XLMRobertaTokenizer", "XLNetTokenizer",
  ]

  /// - Throws: a `Diagnostic` with file and field for what is malformed, or a class that is not supported.
  init(directory: String) throws {
    func read(_ name: String) throws -> JSONField? {
      let path = "\(directory)/\(name)"
      guard File.exists(path) else { return nil }
      return JSONField(try JSONValue.parse(try File.read(path), file: path), file: path)
    }
    let root = try read("tokenizer_config.json")
    let model = try read("config.json")?.value["model_type"]?.stringValue
    if let field = try root?.optional("tokenizer_class") {
      let written = try field.string()
      let name = written.hasSuffix("Fast") ? String(written.dropLast(4)) : written
      guard !Self.others.contains(name) else {
        throw field.diagnostic(
          "is \(written), which makes its tokenizer of a SentencePiece model in a way that is not supported",
          remedy: "save the tokenizer with transformers, which writes a tokenizer.json")
      }
      family = model.map(RebuiltParts.plainModels.contains) ?? false ? .general : Self.families[name] ?? .general
    } else {
      family = model.flatMap { Self.models[$0] } ?? .general
    }
    for field in [root, try read("special_tokens_map.json")].compactMap(\.self) {
      for name in Self.names where named[name] == nil {
        guard let token = try field.optional(name) else { continue }
        named[name] = try token.value.stringValue ?? token.required("content").string()
      }
    }
    guard let root else { return }
    if let value = try root.object()["legacy"] { isLegacy = value.boolValue ?? false }
    addsPrefixSpace = try root.optional("add_prefix_space")?.bool() ?? true
    addsBegin = try root.optional("add_bos_token")?.bool() ?? false
    addsEnd = try root.optional("add_eos_token")?.bool() ?? false
    extraIDs = try root.optional("extra_ids")?.integer(in: 0...10_000) ?? 100
  }
}
