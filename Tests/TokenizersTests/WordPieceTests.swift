import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers: WordPiece")
struct WordPieceTests {
  /// A small tokenizer of BERT's parts with some keys of its model replaced.
  static func file(
    _ root: JSONObject = [:], model: JSONObject = [:],
    vocabulary: [String] = ["[UNK]", "un", "##able", "##a", "a", "b"]
  ) -> JSONValue {
    var inner: JSONObject = [
      "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 10,
      "vocab": .object(JSONObject(vocabulary.enumerated().map { ($0.element, JSONValue($0.offset)) })),
    ]
    for entry in model.entries { inner[entry.key] = entry.value }
    var outer: JSONObject = ["model": .object(inner), "pre_tokenizer": ["type": "BertPreTokenizer"]]
    for entry in root.entries { outer[entry.key] = entry.value }
    return .object(outer)
  }

  static func ids(_ text: String, _ file: JSONValue = file()) throws -> [Int32] {
    try TokenizerFileTests.load(file).encode(text)
  }

  @Test("a word is its longest tokens one after the other, or all of it is unknown")
  func words() throws {
    #expect(try Self.ids("unable a") == [1, 2, 4])
    #expect(try Self.ids("unaable") == [1, 3, 2])
    #expect(try Self.ids("unablex") == [0])
    #expect(try Self.ids("able") == [0])
    #expect(try Self.ids("aaaaaaaaaa aaaaaaaaaaa") == [4] + [Int32](repeating: 3, count: 9) + [0])
  }

  @Test("an empty token takes nothing, an empty prefix is one")
  func emptyTokens() throws {
    let file = Self.file(vocabulary: ["[UNK]", "##", "a", "##a", ""])
    #expect(try Self.ids("aa ab", file) == [2, 3, 0])
    let bare = Self.file(model: ["continuing_subword_prefix": ""], vocabulary: ["[UNK]", "a", "b", "ab"])
    #expect(try Self.ids("abba", bare) == [3, 2, 1])
  }

  @Test("a tokenizer file that names no kind of model is known by its keys")
  func untyped() throws { #expect(try Self.ids("unable", Self.file(model: ["type": nil])) == [1, 2]) }

  @Test("a token for unknown words that is not there matters to a text that needs it")
  func unknownToken() throws {
    let tokenizer = try TokenizerFileTests.load(Self.file(vocabulary: ["a", "##b"]))
    #expect(try tokenizer.encode("ab a") == [0, 1, 0] && tokenizer.unknownTokenID == nil)
    expectDiagnostic(file: tokenizer.path, field: "model.unk_token", saying: "\"[UNK]\"", "\"ba\"") {
      _ = try tokenizer.encode("ba")
    }
  }

  @Test(
    "what is missing or malformed is named",
    arguments: [
      ("unk_token", nil, "is null"), ("continuing_subword_prefix", nil, "is null"),
      ("max_input_chars_per_word", nil, "is null"), ("max_input_chars_per_word", 0, "at least 1"),
      ("max_input_chars_per_word", 1001, "1000"), ("unk_token", 3, "must be a string"),
    ] as [(String, JSONValue?, String)])
  func malformed(key: String, value: JSONValue?, saying: String) {
    expectDiagnostic(field: "model.\(key)", saying: saying) {
      _ = try TokenizerFileTests.load(Self.file(model: [key: value ?? .null]))
    }
  }

  @Test("words that end in bytes are those that the vocabulary spells with stand-ins")
  func byteLevel() throws {
    let file = Self.file(
      ["pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": true]], vocabulary: ["[UNK]", "Ġ", "##Ã", "##©"])
    #expect(try Self.ids("é", file) == [1, 2, 3])
  }

  @Test(
    "tokenizer_config.json decides on BERT's normalizer for the classes that make it anew",
    arguments: [
      (#"{"tokenizer_class": "BertTokenizer"}"#, "bert", true),
      (#"{"tokenizer_class": "BertTokenizerFast", "do_lower_case": false}"#, "bert", false),
      (#"{"do_lower_case": false}"#, "bert", false), (#"{}"#, "bert", true),
      (#"{"do_lower_case": true}"#, "llama", nil),
      (#"{"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": true}"#, "bert", nil),
    ] as [(String, String, Bool?)])
  func companions(config: String, family: String, lowercases: Bool?) throws {
    for written in [false, true] {
      let folder = try TemporaryFolder()
      let normalizer: JSONValue = ["type": "BertNormalizer", "lowercase": .bool(written)]
      let file = Self.file(["normalizer": normalizer], vocabulary: ["[UNK]", "a", "A"])
      let path = try folder.write(file.serialized(), to: "tokenizer.json")
      let plain = try Tokenizer(file: path)
      _ = try folder.write(config, to: "tokenizer_config.json")
      _ = try folder.write(#"{"model_type": "\#(family)"}"#, to: "config.json")
      let tokenizer = try Tokenizer(directory: folder.path)
      let lowered = lowercases ?? written
      #expect(try tokenizer.encode("A") == [lowered ? 1 : 2], "\(config), \(written)")
      #expect((tokenizer.contentBytes == plain.contentBytes) == (lowered == written), "the fingerprint tells a change")
    }
  }
}

@Suite("Tokenizers: characters as BERT takes them")
struct BertCharactersTests {
  /// The characters that the golden file speaks of, as `scripts/golden/word_piece.py` lists them.
  static let characters: [Unicode.Scalar] = [1..<0x32400, 0xE0000..<0xE0200].flatMap { range in
    range.compactMap { Unicode.Scalar(UInt32($0)) }
  }

  /// What a normalizer with one of its steps leaves of every character, by the character.
  static func left(of key: String) throws -> [(Unicode.Scalar, String)] {
    var normalizer: JSONObject = [
      "type": "BertNormalizer", "clean_text": false, "handle_chinese_chars": false, "strip_accents": false,
      "lowercase": false,
    ]
    normalizer[key] = true
    // A mark that is never changed parts the characters.
    let tokenizer = try UnicodeClassesTests.bytes(
      normalizer: .object(normalizer), ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false])
    let text = characters.map { String(String.UnicodeScalarView([$0, "|"])) }.joined()
    let parts = try UnicodeClassesTests.text(tokenizer, text).unicodeScalars
      .split(separator: "|", omittingEmptySubsequences: false)
    let kept = parts.map { String(String.UnicodeScalarView($0)) }
    let own = characters.firstIndex(of: "|")!
    return zip(characters.indices, characters).filter { $0.0 != own }.map { index, scalar in
      // The mark itself is two empty parts.
      (scalar, kept[index < own ? index : index + 1])
    }
  }

  static func expectSame(_ key: String, _ found: some Sequence<Unicode.Scalar>) throws {
    let differing = try UnicodeClassesTests.golden(key, in: "bert-characters.json").symmetricDifference(found)
    let shown = differing.sorted().prefix(20).map { String($0.value, radix: 16) }
    #expect(differing.isEmpty, "\(key): \(differing.count) characters differ, such as \(shown)")
  }

  @Test("the normalizer removes, parts, strips and lowers the same characters")
  func normalizer() throws {
    let cleaned = try Self.left(of: "clean_text")
    try Self.expectSame("removed", cleaned.filter { $0.1.isEmpty }.map(\.0))
    try Self.expectSame("space", cleaned.filter { $0.1 == " " && $0.0 != " " }.map(\.0) + [" "])
    let parted = try Self.left(of: "handle_chinese_chars")
    try Self.expectSame("chinese", parted.filter { $0.1 == " \($0.0) " }.map(\.0))
    let stripped = try Self.left(of: "strip_accents")
    try Self.expectSame("accents", stripped.filter { $0.1.isEmpty }.map(\.0))
    let changed = stripped.filter { !$0.1.isEmpty && !sameBytes($0.1, String($0.0)) }
    try Self.expectSame("decomposed", changed.map(\.0))
    let lowered = try Self.left(of: "lowercase")
    try Self.expectSame("lowercased", lowered.filter { !sameBytes($0.1, String($0.0)) }.map(\.0))
  }

  @Test("the pre-tokenizer cuts at the same characters")
  func words() throws {
    // Every word is unknown, so that ids count the words.
    let tokenizer = try TokenizerFileTests.load(WordPieceTests.file(vocabulary: ["[UNK]"]))
    let counts = try Self.characters.map { scalar in
      (scalar, try tokenizer.encode("a\(String(String.UnicodeScalarView([scalar])))a").count)
    }
    try Self.expectSame("punctuation", counts.filter { $0.1 == 3 }.map(\.0))
    try Self.expectSame("parting", counts.filter { $0.1 == 2 }.map(\.0))
  }
}
