import Files
import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers of GGUF files beside transformers") struct GGUFTokenizerTests {
  private static func path(_ name: String) -> String { "\(goldenFolder)/gguf/\(name).gguf" }

  @Test(
    "every kind, on small files",
    arguments: ["gpt-2", "smollm", "olmo", "qwen2", "llama-bpe", "nemo", "gpt-4o", "llama", "phi3", "gemma3"])
  func small(name: String) throws {
    let tokenizer = try Tokenizer(directory: Self.path(name))
    let golden = try goldenJSON("gguf/\(name).json")
    let texts = try goldenJSON("texts.json").elements().map { try $0.string() }
    for (text, vector) in zip(texts, try golden.required("texts").elements()) {
      let parts = try vector.elements()
      let (ids, special) = (try parts[0].ids(), try parts[1].ids())
      #expect(try tokenizer.encode(text) == ids, "\(name): \(text.debugDescription)")
      #expect(try tokenizer.encode(text, addSpecialTokens: true) == special, "\(name): \(text.debugDescription)")
      #expect(sameBytes(try tokenizer.decode(special), try parts[2].string()), "\(name): \(special)")
      #expect(sameBytes(try tokenizer.decode(special, skipSpecialTokens: false), try parts[3].string()), "\(special)")
    }
    #expect(try tokenizer.token(#require(tokenizer.bosTokenID)) == golden.required("bos").string())
    #expect(try tokenizer.token(#require(tokenizer.eosTokenID)) == golden.required("eos").string())
    #expect(tokenizer.chatTemplate == "{{ messages }}")
    #expect(try TokenizerBundle(directory: Self.path(name)).directory == Self.path(name))
  }

  @Test(
    "a model without merges gives the ids of the files that it was converted from",
    arguments: [
      ("t5", "sentence-piece/t5.json", "sentence-piece/texts.json"),
      ("bert", "word-piece-uncased.vectors.json", "word-piece.texts.json"),
    ])
  func words(name: String, vectors: String, texts: String) throws {
    let tokenizer = try Tokenizer(directory: Self.path(name))
    let texts = try goldenJSON(texts).elements().map { try $0.string() }
    for (text, vector) in zip(texts, try goldenJSON(vectors).required("texts").elements()) {
      let parts = try vector.elements()
      let (ids, special) = (try parts[0].ids(), try parts[1].ids())
      #expect(try tokenizer.encode(text) == ids, "\(name): \(text.debugDescription)")
      #expect(try tokenizer.encode(text, addSpecialTokens: true) == special, "\(name): \(text.debugDescription)")
      let decoded = try tokenizer.decode(special, skipSpecialTokens: false)
      #expect(sameBytes(decoded, try parts.last?.string() ?? ""), "\(name): \(special)")
    }
  }

  /// A GGUF file of the vocabulary and the merges, or the scores, of a tokenizer.json.
  private static func draft(_ root: JSONField, model: String, pre: String, scores: Bool) throws -> GGUFDraft {
    var tokens: [Int: String] = [:]
    var kinds: [Int: UInt32] = [:]
    for (token, id) in try root.required("model").required("vocab").members() { tokens[try id.integer()] = token }
    for token in try root.required("added_tokens").elements() {
      let id = try token.required("id").integer()
      tokens[id] = try token.required("content").string()
      kinds[id] = try token.required("special").bool() ? 3 : 4
    }
    let count = (tokens.keys.max() ?? -1) + 1
    var draft = GGUFDraft(values: [
      GGUFDraft.string("general.architecture", "llama"), GGUFDraft.string("tokenizer.ggml.model", model),
      GGUFDraft.string("tokenizer.ggml.pre", pre),
      GGUFDraft.strings("tokenizer.ggml.tokens", (0..<count).map { tokens[$0] ?? "[PAD\($0)]" }),
      GGUFDraft.numbers("tokenizer.ggml.token_type", (0..<count).map { kinds[$0] ?? 1 }),
    ])
    if scores {
      // SentencePiece numbers its pieces, the bytes and what is special before them, by their scores.
      let values = (0..<count).flatMap { GGUFDraft.bytes((-Float(max(0, $0 - 259))).bitPattern) }
      draft.values.append(GGUFDraft.array("tokenizer.ggml.scores", type: 6, count: UInt64(count), values))
    } else {
      let merges = try root.required("model").required("merges").elements().map { merge in
        try merge.value.stringValue ?? merge.elements().map { try $0.string() }.joined(separator: " ")
      }
      draft.values.append(GGUFDraft.strings("tokenizer.ggml.merges", merges))
    }
    return draft
  }

  @Test(
    "real vocabularies give the ids of the tokenizer.json that they are of", .needsSharedData,
    arguments: [
      ("gpt2", "gpt2", "gpt-2"), ("qwen2", "gpt2", "qwen2"), ("llama2", "llama", "default"),
    ])
  func real(name: String, model: String, pre: String) throws {
    let folder = try TemporaryFolder()
    let source = SharedData.path("tokenizers/\(name)/tokenizer.json")
    let root = JSONField(try .parse(try File.read(source), file: source), file: source)
    let draft = try Self.draft(root, model: model, pre: pre, scores: model == "llama")
    let tokenizer = try Tokenizer(directory: folder.write(draft.bytes, to: "real.gguf"))
    let texts = try goldenJSON("texts.json").elements().map { try $0.string() }
    for (text, ids) in zip(texts, try goldenJSON("\(name).shared.json").elements()) {
      // The file of Llama 2 was made by an earlier transformers: it puts a space before every part of a text, where since
      // version 5 one is put before the text alone, if none stands there, and ranks the merges of equal tokens otherwise,
      // which runs of spaces show.
      let isOfVersion5 =
        text.first?.isWhitespace ?? true || ["<s>", "</s>", "  ", "▁"].contains(where: text.contains)
      if model == "llama" && isOfVersion5 { continue }
      #expect(try tokenizer.encode(text) == ids.ids(), "\(name): \(text.debugDescription)")
    }
  }

  // MARK: Refusals

  private static func tiny() -> GGUFDraft {
    GGUFDraft(values: [
      GGUFDraft.string("general.architecture", "llama"), GGUFDraft.string("tokenizer.ggml.model", "gpt2"),
      GGUFDraft.string("tokenizer.ggml.pre", "gpt-2"), GGUFDraft.strings("tokenizer.ggml.tokens", ["a", "b", "ab"]),
      GGUFDraft.strings("tokenizer.ggml.merges", ["a b"]),
    ])
  }

  @Test("what is missing, unknown or malformed is refused by name") func refused() throws {
    let folder = try TemporaryFolder()
    func refuse(_ field: String, _ saying: String, _ change: (inout GGUFDraft) -> Void) throws {
      var draft = Self.tiny()
      change(&draft)
      let path = try folder.write(draft.bytes, to: "x.gguf")
      expectDiagnostic(file: path, field: field, saying: saying) { _ = try Tokenizer(directory: path) }
    }
    #expect(try Tokenizer(directory: folder.write(Self.tiny().bytes, to: "y.gguf")).encode("aba") == [2, 0])
    func set(_ value: GGUFDraft.Value) -> (inout GGUFDraft) -> Void {
      { draft in
        draft.values.removeAll { $0.key == value.key }
        draft.values.append(value)
      }
    }
    func drop(_ key: String) -> (inout GGUFDraft) -> Void { { $0.values.removeAll { $0.key == key } } }
    let key = "tokenizer.ggml"
    try refuse("\(key).model", "is missing", drop("\(key).model"))
    try refuse("\(key).model", "is rwkv, which is not supported", set(GGUFDraft.string("\(key).model", "rwkv")))
    try refuse("\(key).pre", "is missing", drop("\(key).pre"))
    try refuse("\(key).pre", "is default, which is not supported", set(GGUFDraft.string("\(key).pre", "default")))
    try refuse("\(key).tokens", "1 to", drop("\(key).tokens"))
    try refuse("\(key).tokens", "1 to", set(GGUFDraft.strings("\(key).tokens", [])))
    try refuse(
      "\(key).tokens", "a token of 1025 bytes",
      set(GGUFDraft.strings("\(key).tokens", [String(repeating: "a", count: 1025)])))
    try refuse(
      "\(key).tokens", "no UTF-8",
      set(GGUFDraft.array("\(key).tokens", type: 8, count: 1, GGUFDraft.bytes(UInt64(1)) + [0xFF])))
    try refuse("\(key).merges", "is missing", drop("\(key).merges"))
    try refuse("\(key).merges", "no pair", set(GGUFDraft.strings("\(key).merges", ["ab"])))
    try refuse("\(key).token_type", "has 1 elements", set(GGUFDraft.numbers("\(key).token_type", [1])))
    try refuse("\(key).eos_token_id", "must be in 0 ... 2", set(GGUFDraft.number("\(key).eos_token_id", 3)))
    try refuse("\(key).scores", "must be 3 numbers") { draft in
      set(GGUFDraft.string("\(key).model", "llama"))(&draft)
      drop("\(key).merges")(&draft)
    }
  }
}
