public import JSON

/// Learns byte-level byte-pair tokenizers, the kind of GPT-2, from texts.
public enum BPETrainer {
  /// A `tokenizer.json` learnt from texts, which `Tokenizer` and Hugging Face transformers load.
  ///
  /// The most frequent pair of neighbouring symbols within a word becomes a token, again and again; of equally
  /// frequent pairs the one of the lowest ids does, so the same texts give the same tokenizer. Ids go to the special
  /// tokens, then to the 256 bytes in the order of their stand-ins, then to the merges. Special tokens within the
  /// texts count for nothing.
  ///
  /// - Parameters:
  ///   - vocabularySize: Number of tokens; there are fewer where the texts run out of pairs.
  ///   - specialTokens: Texts that always are one token.
  /// - Throws: a `Diagnostic` where a text cannot be cut into words.
  /// - Precondition: `vocabularySize` leaves room for the special tokens and the bytes; special tokens are not empty
  ///   and all different.
  public static func trainByteLevel(
    texts: some Sequence<String>, vocabularySize: Int, specialTokens: [String]
  ) throws -> JSONValue {
    precondition(
      vocabularySize >= specialTokens.count + 256 && vocabularySize <= Vocabulary.maximumID,
      "a vocabulary of \(vocabularySize) cannot hold \(specialTokens.count) special tokens and 256 bytes")
    var tokens = ByteTable()
    for special in specialTokens {
      let isNew = tokens.insert(Array(special.utf8), 0..<special.utf8.count).isNew
      precondition(isNew && !special.isEmpty, "the special token \"\(special)\" is empty or comes twice")
    }
    var byteIDs = [Int32](repeating: 0, count: 256)
    for byte in (0..<256).sorted(by: { ByteAlphabet.scalars[$0].value < ByteAlphabet.scalars[$1].value }) {
      let standIn = ByteAlphabet.encoded[byte]
      byteIDs[byte] = Int32(tokens.insert(standIn, 0..<standIn.count).index)
    }
    var learner = MergeLearner(try countWords(texts, specialTokens), byteIDs: byteIDs, tokens: tokens)
    learner.learn(vocabularySize: vocabularySize)
    return file(learner.tokens, learner.merges, specialTokens: specialTokens)
  }

  /// The words of the texts as GPT-2's pattern cuts them, and how often each comes.
  private static func countWords(
    _ texts: some Sequence<String>, _ specialTokens: [String]
  ) throws -> MergeLearner.Words {
    let matcher = AddedTokenMatcher(
      specialTokens.enumerated().map { AddedToken(special: $0.element, id: Int32($0.offset)) })
    var words = MergeLearner.Words()
    for text in texts {
      let bytes = Array(text.utf8)
      try matcher.forEachSegment(of: bytes) { segment in
        guard case .text(let range) = segment else { return }
        var pieces = Pieces(bytes, range, startsText: false)
        try pieces.split(PreTokenizer.gpt2Pattern, .isolated)
        for piece in pieces.ranges { words.count(bytes, piece) }
      }
    }
    return words
  }

  private static func file(
    _ tokens: ByteTable, _ merges: [(Int32, Int32)], specialTokens: [String]
  ) -> JSONValue {
    func text(_ id: Int) -> String { String(decoding: tokens[id], as: UTF8.self) }
    let byteLevel: JSONValue = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
    ]
    let added = specialTokens.enumerated().map { id, content -> JSONValue in
      [
        "id": JSONValue(id), "content": .string(content), "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
      ]
    }
    let model: JSONValue = [
      "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
      "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
      "vocab": .object(JSONObject((0..<tokens.count).map { (text($0), JSONValue($0)) })),
      "merges": .array(merges.map { .array([.string(text(Int($0.0))), .string(text(Int($0.1)))]) }),
    ]
    return [
      "version": "1.0", "truncation": nil, "padding": nil, "added_tokens": .array(added), "normalizer": nil,
      "pre_tokenizer": byteLevel, "post_processor": nil, "decoder": byteLevel, "model": model,
    ]
  }
}
