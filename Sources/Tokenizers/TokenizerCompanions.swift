import Diagnostics
import Files
import JSON

/// What the files beside a tokenizer.json add: tokens, which of them begin and end a sequence, the chat template, whether a
/// space goes before a text, how BERT's normalizer is set, and which parts are made anew.
struct TokenizerCompanions {
  private(set) var bosToken: String?
  private(set) var eosToken: String?
  private(set) var bosTokenID: Int32?
  private(set) var eosTokenID: Int32?
  /// Chat templates by their names; `default` is the name of one alone.
  private(set) var chatTemplates: [ChatTemplateFile] = []
  /// The texts of the tokens that are named, such as `bos_token`, as chat templates are given them.
  private(set) var namedTokens = JSONObject()
  /// Whether byte-level steps put a space before a text; nil where the tokenizer.json decides.
  private(set) var addsPrefixSpace: Bool?

  /// BERT's normalizer; nil where the tokenizer.json decides.
  private(set) var bertNormalizer: BertNormalizer?

  private(set) var tokens = CompanionTokens()
  private(set) var rebuilt = RebuiltParts()

  /// The tokenizers of transformers that make BERT's normalizer anew, from tokenizer_config.json and defaults, whatever
  /// tokenizer.json says (transformers 5.24).
  private static let bertClasses: Set = [
    "BertTokenizer", "DPRContextEncoderTokenizer", "DPRQuestionEncoderTokenizer", "DistilBertTokenizer",
    "ElectraTokenizer", "FunnelTokenizer", "LayoutLMTokenizer", "LxmertTokenizer", "MPNetTokenizer",
    "MobileBertTokenizer", "SplinterTokenizer", "SqueezeBertTokenizer",
  ]

  /// The tokenizers of transformers that make their byte-level step anew, from `add_prefix_space` of
  /// tokenizer_config.json, false where it is missing, whatever tokenizer.json says (transformers 5.24). All others
  /// take the step as tokenizer.json has it.
  private static let byteLevelClasses: Set = [
    "BartTokenizer", "BlenderbotTokenizer", "CodeGenTokenizer", "CohereTokenizer", "DebertaTokenizer", "GPT2Tokenizer",
    "GPTNeoXTokenizer", "LEDTokenizer", "LongformerTokenizer", "Qwen2Tokenizer", "RobertaTokenizer", "WhisperTokenizer",
  ]

  /// No companions.
  init() {}

  /// Reads what is there; tokenizer_config.json wins over special_tokens_map.json, names win over ids.
  ///
  /// - Throws: a `Diagnostic` with file and field where a file is malformed.
  init(directory: String) throws {
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
      if let root = try Self.read("\(directory)/\(name)") { try add(root) }
    }
    if let root = try Self.read("\(directory)/tokenizer_config.json") {
      addsPrefixSpace = try Self.prefixSpace(root, directory)
      bertNormalizer = try Self.bertNormalizer(root, directory)
      rebuilt = try RebuiltParts(root, model: try Self.family(directory))
    }
    tokens = try CompanionTokens(
      configuration: Self.read("\(directory)/tokenizer_config.json"),
      map: Self.read("\(directory)/special_tokens_map.json"), added: Self.read("\(directory)/added_tokens.json"))
    if let root = try Self.read("\(directory)/generation_config.json") {
      bosTokenID = try Self.id(root, "bos_token_id")
      eosTokenID = try Self.id(root, "eos_token_id")
    }
    try readTemplates(directory)
  }

  /// Reads the templates that stand in files of their own, which win over those of tokenizer_config.json.
  private mutating func readTemplates(_ directory: String) throws {
    let (single, others) = ("\(directory)/chat_template.jinja", "\(directory)/additional_chat_templates")
    guard File.exists(single) || File.isFolder(others) else { return }
    chatTemplates = File.exists(single) ? [.init(name: "default", text: try Self.text(single), path: single)] : []
    guard File.isFolder(others) else { return }
    for name in try File.list(others).sorted() where name.hasSuffix(".jinja") {
      let path = "\(others)/\(name)"
      chatTemplates.append(.init(name: String(name.dropLast(6)), text: try Self.text(path), path: path))
    }
  }

  private static func text(_ path: String) throws -> String {
    guard let text = String(validating: try File.read(path), as: UTF8.self) else {
      throw Diagnostic.input("is not UTF-8", file: path)
    }
    return text
  }

  /// Reads a tokenizer_config.json that lies in no folder, and in which no class is named that makes steps anew.
  ///
  /// - Parameter place: What it stands in, for messages.
  init(_ place: String, configuration: [UInt8]) throws {
    try add(JSONField(try JSONValue.parse(configuration, file: place), file: place))
  }

  /// Names the tokens that begin and end a sequence where no file has; the rest has been made of the files already.
  mutating func complete(bosToken: String?, eosToken: String?) {
    self.bosToken = self.bosToken ?? bosToken
    self.eosToken = self.eosToken ?? eosToken
    rebuilt = RebuiltParts()
  }

  private mutating func add(_ root: JSONField) throws {
    bosToken = try bosToken ?? Self.token(root, "bos_token")
    eosToken = try eosToken ?? Self.token(root, "eos_token")
    if chatTemplates.isEmpty { chatTemplates = try Self.templates(root) }
    for name in Self.tokenNames where namedTokens[name] == nil {
      if let text = try Self.token(root, name) { namedTokens[name] = .string(text) }
    }
  }

  private static func read(_ path: String) throws -> JSONField? {
    guard File.exists(path) else { return nil }
    return JSONField(try JSONValue.parse(try File.read(path), file: path), file: path)
  }

  /// What is to stand in the place of the tokenizer.json's normalizer; nil where that stays.
  func normalizer(replacing written: Normalizer?) -> Normalizer? {
    guard let bertNormalizer, case .bert(let written) = written, written != bertNormalizer else { return nil }
    return .bert(bertNormalizer)
  }

  private static func prefixSpace(_ root: JSONField, _ directory: String) throws -> Bool? {
    let flag = try root.optional("add_prefix_space")
    return try isClass(byteLevelClasses, orFamily: "gpt2", root, directory) ? try flag?.bool() ?? false : nil
  }

  private static func bertNormalizer(_ root: JSONField, _ directory: String) throws -> BertNormalizer? {
    guard try isClass(bertClasses, orFamily: "bert", root, directory) else { return nil }
    return BertNormalizer(
      partsChinese: try root.optional("tokenize_chinese_chars")?.bool() ?? true,
      stripsAccents: try root.optional("strip_accents")?.bool(),
      lowercases: try root.optional("do_lower_case")?.bool() ?? true)
  }

  /// Whether a tokenizer_config.json names one of some classes; without a class transformers goes by the family of the
  /// model.
  private static func isClass(
    _ classes: Set<String>, orFamily family: String, _ root: JSONField, _ directory: String
  ) throws -> Bool {
    if let named = try root.optional("tokenizer_class")?.string() {
      return classes.contains(named.hasSuffix("Fast") ? String(named.dropLast(4)) : named)
    }
    return try self.family(directory) == family
  }

  /// The family of the model, which its config.json names.
  private static func family(_ directory: String) throws -> String? {
    try read("\(directory)/config.json")?.value["model_type"]?.stringValue
  }

  /// A token given by its content, or as an object that has it.
  private static func token(_ root: JSONField, _ key: String) throws -> String? {
    guard let field = try root.optional(key) else { return nil }
    return try field.value.stringValue ?? field.required("content").string()
  }

  /// The template itself, or several by their names.
  private static func templates(_ root: JSONField) throws -> [ChatTemplateFile] {
    guard let field = try root.optional("chat_template") else { return [] }
    let path = field.file ?? ""
    if let text = field.value.stringValue { return [.init(name: "default", text: text, path: path)] }
    return try field.elements().map {
      .init(name: try $0.required("name").string(), text: try $0.required("template").string(), path: path)
    }
  }

  /// The tokens that chat templates are given.
  private static let tokenNames = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  /// An id, or the first of several.
  private static func id(_ root: JSONField, _ key: String) throws -> Int32? {
    guard let field = try root.optional(key) else { return nil }
    let first = field.value.arrayValue == nil ? field : try field.elements().first
    return try first.map { Int32(try $0.integer(in: 0...Vocabulary.maximumID)) }
  }
}
