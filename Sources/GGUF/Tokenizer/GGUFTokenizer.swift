import Diagnostics
import JSON

/// The tokenizer of a GGUF file as the files of Hugging Face's tokenizers: what transformers makes of the same metadata,
/// and reads back.
///
/// Format of the metadata: `tokenizer.ggml.*` (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
struct GGUFTokenizer {
  let metadata: GGUFMetadata
  let vocabulary: GGUFVocabulary
  let kind: Kind

  /// What `tokenizer.ggml.model` and the architecture say of the way in which texts become tokens.
  enum Kind {
    /// Byte-level, with the words of a pre-tokenizer.
    case byteLevel(GGUFPreTokenizer)
    /// SentencePiece's BPE, whose merges follow from the scores.
    case sentencePiece
    /// SentencePiece's as Phi-3 writes it: every text gets a space at its front.
    case phi3
    /// Gemma's: words end in their spaces, and merges follow from the order of the vocabulary.
    case gemma
    /// T5's, found by the scores of tokens.
    case unigram
    /// BERT's, the longest tokens first.
    case wordPieces
  }

  /// Tokens whose spelling in a `tokenizer.json` is another one.
  private let spellings: [Int: [UInt8]]

  static let key = "tokenizer.ggml"

  /// - Throws: a `Diagnostic` where the file has no tokenizer, or one of a kind that is not supported.
  init(_ metadata: GGUFMetadata) throws {
    self.metadata = metadata
    let modelKey = "\(Self.key).model"
    guard let model = try metadata.text(modelKey) else {
      throw metadata.diagnostic(
        modelKey, "is missing", remedy: "name a folder with a tokenizer.json as the tokenizer, or a file that has one")
    }
    let architecture = try metadata.text("general.architecture") ?? ""
    switch (model, architecture) {
    case ("gpt2", _): kind = .byteLevel(try GGUFPreTokenizer(metadata))
    case ("llama", "gemma"), ("llama", "gemma2"), ("llama", "gemma3"): kind = .gemma
    case ("llama", "phi3"): kind = .phi3
    case ("llama", _): kind = .sentencePiece
    case ("t5", "t5"), ("t5", "t5encoder"): kind = .unigram
    case ("bert", _): kind = .wordPieces
    default:
      throw metadata.diagnostic(
        modelKey, "is \(model), which is not supported",
        remedy: "use a model whose tokenizer is gpt2, llama, bert or that of T5")
    }
    var isGemma = false
    if case .gemma = kind { isGemma = true }
    vocabulary = try GGUFVocabulary(metadata, marksBlanks: isGemma)
    spellings = Self.spellings(kind, vocabulary)
  }

  /// A token as the `tokenizer.json` writes it.
  func spelling(_ id: Int) -> ArraySlice<UInt8> { spellings[id]?[...] ?? vocabulary[id] }

  private func text(_ id: Int) -> String { String(decoding: spelling(id), as: UTF8.self) }

  /// Names and contents of the files, `tokenizer.json` first.
  ///
  /// - Throws: a `Diagnostic` for what is missing or malformed.
  func files() throws -> [(name: String, bytes: [UInt8])] {
    [
      ("tokenizer.json", try tokenizerFile()),
      ("tokenizer_config.json", JSONValue.object(try configuration()).serialized(pretty: true) + Array("\n".utf8)),
    ]
  }

  // MARK: Special tokens

  /// The id that a key names.
  func id(_ name: String) throws -> Int? {
    try metadata.integer("\(Self.key).\(name)_token_id", in: 0...max(0, vocabulary.count - 1))
  }

  func token(_ name: String) throws -> JSONValue? { try id(name).map { .string(text($0)) } }

  private func flag(_ name: String) throws -> Bool? { try metadata.flag("\(Self.key).\(name)") }

  /// Whether a text begins with the token that begins sequences, and ends with the one that ends them. Where the file
  /// does not say, as llama.cpp decides.
  private func ends() throws -> (begin: Int?, end: Int?) {
    if case .wordPieces = kind { return (try id("cls") ?? id("bos"), try id("seperator") ?? id("eos")) }
    let begins =
      switch kind {
      case .byteLevel(let words): words.beginsTexts
      case .sentencePiece, .phi3, .gemma: true
      case .unigram, .wordPieces: false
      }
    var endsTexts = false
    if case .unigram = kind { endsTexts = true }
    return (
      try flag("add_bos_token") ?? begins ? try id("bos") : nil,
      try flag("add_eos_token") ?? endsTexts ? try id("eos") : nil
    )
  }

  /// Whether a space goes before a text.
  private func addsSpace() throws -> Bool { try flag("add_space_prefix") ?? true }

  private func configuration() throws -> JSONObject {
    var config: JSONObject = ["tokenizer_class": "PreTrainedTokenizerFast"]
    for (name, key) in [("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")] {
      config["\(name)_token"] = try token(key)
    }
    config["clean_up_tokenization_spaces"] = false
    config["chat_template"] = try metadata.text("tokenizer.chat_template").map { .string($0) }
    return config
  }

  // MARK: tokenizer.json

  private func tokenizerFile() throws -> [UInt8] {
    let root: JSONObject = [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": try addedTokens(),
      "normalizer": try normalizer(),
      "pre_tokenizer": try preTokenizer(), "post_processor": try postProcessor(), "decoder": try decoder(),
    ]
    var bytes = JSONValue.object(root).serialized()
    bytes.removeLast()
    bytes += Array(",\"model\":".utf8)
    try appendModel(to: &bytes)
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }

  private func addedTokens() throws -> JSONValue {
    var special = Set(try ["bos", "eos", "unknown", "padding"].compactMap(id))
    if case .wordPieces = kind { special.formUnion(try ["cls", "seperator", "mask"].compactMap(id)) }
    special.formUnion(vocabulary.control)
    if case .unigram = kind { special.formUnion(spellings.keys) }
    let all = special.union(vocabulary.userDefined).sorted()
    return .array(
      all.map { id in
        [
          "id": JSONValue(id), "content": .string(text(id)), "single_word": false, "lstrip": false,
          "rstrip": false, "normalized": false, "special": .bool(special.contains(id)),
        ]
      })
  }

  private func normalizer() throws -> JSONValue {
    let marks: JSONValue = ["type": "Replace", "pattern": ["String": " "], "content": "▁"]
    switch kind {
    case .byteLevel(let words): return words.composes ? ["type": "NFC"] : nil
    case .sentencePiece: return nil
    case .phi3: return ["type": "Sequence", "normalizers": [["type": "Prepend", "prepend": "▁"], marks]]
    case .gemma: return marks
    case .unigram: return try charsmap()
    case .wordPieces: return Self.bertNormalizer
    }
  }

  private func preTokenizer() throws -> JSONValue {
    switch kind {
    case .byteLevel(let words): words.json
    case .sentencePiece:
      [
        "type": "Metaspace", "replacement": "▁", "prepend_scheme": try addsSpace() ? "first" : "never", "split": false,
      ]
    case .phi3: nil
    case .gemma:
      ["type": "Split", "pattern": ["String": " "], "behavior": "MergedWithPrevious", "invert": false]
    case .unigram: Self.unigramPreTokenizer
    case .wordPieces: ["type": "BertPreTokenizer"]
    }
  }

  private func decoder() throws -> JSONValue {
    if case .byteLevel = kind {
      return ["type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true]
    }
    if case .unigram = kind { return Self.unigramDecoder }
    if case .wordPieces = kind { return ["type": "WordPiece", "prefix": "##", "cleanup": true] }
    var steps: [JSONValue] = [
      ["type": "Replace", "pattern": ["String": "▁"], "content": " "], ["type": "ByteFallback"], ["type": "Fuse"],
    ]
    let strips =
      switch kind {
      case .gemma, .unigram, .wordPieces: false
      case .phi3: true
      case .byteLevel, .sentencePiece: try addsSpace()
      }
    if strips { steps.append(["type": "Strip", "content": " ", "start": 1, "stop": 0]) }
    return ["type": "Sequence", "decoders": .array(steps)]
  }

  private func postProcessor() throws -> JSONValue {
    let (begin, end) = try ends()
    guard begin != nil || end != nil else { return nil }
    var single: [JSONValue] = [["Sequence": ["id": "A", "type_id": 0]]]
    var pair: [JSONValue] = [["Sequence": ["id": "A", "type_id": 0]], ["Sequence": ["id": "B", "type_id": 1]]]
    var tokens = JSONObject()
    func piece(_ id: Int, type: Int) -> JSONValue {
      let text = JSONValue.string(self.text(id))
      tokens[self.text(id)] = ["id": text, "ids": [JSONValue(id)], "tokens": [text]]
      return ["SpecialToken": ["id": text, "type_id": JSONValue(type)]]
    }
    if let begin {
      single.insert(piece(begin, type: 0), at: 0)
      pair.insert(piece(begin, type: 0), at: 0)
      pair.insert(piece(begin, type: 1), at: 2)
    }
    if let end {
      single.append(piece(end, type: 0))
      pair.insert(piece(end, type: 0), at: pair.count - (begin == nil ? 1 : 2))
      pair.append(piece(end, type: 1))
    }
    return [
      "type": "TemplateProcessing", "single": .array(single), "pair": .array(pair), "special_tokens": .object(tokens),
    ]
  }

  // MARK: The model

  private func appendModel(to bytes: inout [UInt8]) throws {
    switch kind {
    case .unigram: try appendUnigram(to: &bytes)
    case .wordPieces: try appendWordPieces(to: &bytes)
    case .byteLevel, .sentencePiece, .phi3, .gemma: try appendPairs(to: &bytes)
    }
    bytes.append(UInt8(ascii: "}"))
  }

  /// Writes a model of merges, but for its closing brace.
  private func appendPairs(to bytes: inout [UInt8]) throws {
    var options: JSONObject = ["type": "BPE", "dropout": nil, "unk_token": nil]
    if case .byteLevel(let words) = kind {
      options["fuse_unk"] = false
      options["byte_fallback"] = false
      options["ignore_merges"] = .bool(words.ignoresMerges)
    } else {
      // llama's own names none, so that characters without a token vanish where there are no bytes to fall back to.
      if case .gemma = kind { options["unk_token"] = try token("unknown") ?? nil }
      options["fuse_unk"] = true
      options["byte_fallback"] = true
      options["ignore_merges"] = false
    }
    bytes += JSONValue.object(options).serialized()
    bytes.removeLast()
    bytes += Array(",\"vocab\":".utf8)
    appendVocabulary(to: &bytes)
    bytes += Array(",\"merges\":[".utf8)
    try appendMerges(to: &bytes)
    bytes.append(UInt8(ascii: "]"))
  }

  func appendVocabulary(to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "{"))
    for id in 0..<vocabulary.count {
      let token = spelling(id)
      if id > 0 { bytes.append(UInt8(ascii: ",")) }
      JSONValue.append(string: token.span, to: &bytes)
      bytes += Array(":\(id)".utf8)
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private func appendMerges(to bytes: inout [UInt8]) throws {
    var isFirst = true
    func append(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) {
      if !isFirst { bytes.append(UInt8(ascii: ",")) }
      isFirst = false
      bytes.append(UInt8(ascii: "["))
      JSONValue.append(string: left.span, to: &bytes)
      bytes.append(UInt8(ascii: ","))
      JSONValue.append(string: right.span, to: &bytes)
      bytes.append(UInt8(ascii: "]"))
    }
    let key = "\(Self.key).merges"
    if let merges = try metadata.array(key, of: .strings) {
      try merges.forEachString { merge in
        var pair: [UInt8] = []
        pair.reserveCapacity(merge.count)
        for index in merge.indices { pair.append(merge[index]) }
        guard let space = pair.firstIndex(of: UInt8(ascii: " ")) else {
          throw metadata.diagnostic(
            key, "holds \"\(String(decoding: pair, as: UTF8.self))\", which is no pair of tokens")
        }
        append(pair[..<space], pair[(space + 1)...])
      }
      return
    }
    if case .byteLevel = kind { throw metadata.diagnostic(key, "is missing") }
    var scores: [Double]?
    if case .gemma = kind { scores = nil } else { scores = try vocabulary.scores(metadata) }
    for merge in vocabulary.derivedMerges(scores: scores) {
      let token = vocabulary[Int(merge.token)]
      let middle = token.startIndex + Int(merge.length)
      append(token[..<middle], token[middle...])
    }
  }
}
