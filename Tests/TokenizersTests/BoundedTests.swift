import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers: bounds of what a file asks for")
struct BoundedTests {
  static func split(_ pattern: String) -> JSONValue {
    ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false]
  }

  static func replacing(_ pattern: String, by content: String) -> JSONValue {
    ["type": "Replace", "pattern": ["Regex": .string(pattern)], "content": .string(content)]
  }

  @Test(
    "a pattern that calls groups, or says what only PCRE2 knows, is refused when the file is read",
    arguments: [
      ("(?R)", "a call of a group"), ("(?:(?R))?x", "a call of a group"), ("(a|(?1))(?1)", "a call of a group"),
      ("(?<n>a(?&n)?b)", "a call of a group"), (#"(?<n>a\g<n>?b)"#, "a call of a group"),
      ("(?P>n)", "a call of a group"),
      ("(*LIMIT_HEAP=0)a", "a verb"), ("a(*FAIL)", "a verb"), ("(?C1)a", "a group (?C"), ("(?|a|b)", "a group (?|"),
      ("(?(1)a|b)", "a group (?("), ("(?s)a", "a group (?s"), ("(?<1>a)", "named"), (#"\Qa"#, #"\Q"#), (#"\N"#, #"\N"#),
      ("(a{0,65535}){0,65535}", "too large"), ("(?i", "a group (?i"),
    ])
  func refused(pattern: String, saying: String) {
    expectDiagnostic(field: "pre_tokenizer.pattern.Regex", saying: pattern, saying) {
      _ = try TokenizerFileTests.load(TokenizerFileTests.file(["pre_tokenizer": Self.split(pattern)]))
    }
  }

  @Test(
    "a pattern that tries the ways of cutting a text up is given up, with file and field",
    arguments: [#"(.*)*(.*)*(.*)*(.*)*\d"#, "((.+)+)+[yz]", #"(?:(?:(?:.+)+)+)+\d"#])
  func givenUp(pattern: String) throws {
    let file = TokenizerFileTests.file(["pre_tokenizer": Self.split(pattern)])
    let tokenizer = try TokenizerFileTests.load(file)
    expectDiagnostic(file: tokenizer.path, field: "pre_tokenizer.pattern.Regex", saying: "gives up") {
      _ = try tokenizer.encode("the quick brown fox jumps over a dog")
    }
    let decoding = try TokenizerFileTests.load(
      TokenizerFileTests.file([
        "decoder": ["type": "Sequence", "decoders": [["type": "Fuse"], Self.replacing(pattern, by: "")]]
      ]))
    expectDiagnostic(file: decoding.path, field: "decoder.decoders[1].pattern.Regex", saying: "gives up") {
      _ = try decoding.decode([Int32](repeating: 2, count: 30))
    }
  }

  @Test(
    "a long text without a space is encoded, and so is one of spaces alone",
    arguments: [
      #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
      #"(?:a|b)+|(?:[ab ])+?c?"#, #"([a-z]| )*"#,
    ])
  func longTexts(pattern: String) throws {
    let plain = try TokenizerFileTests.load(TokenizerFileTests.file())
    let tokenizer = try TokenizerFileTests.load(TokenizerFileTests.file(["pre_tokenizer": Self.split(pattern)]))
    for text in [String(repeating: "ab", count: 50_000), String(repeating: "  ", count: 50_000) + "ab"] {
      #expect(try tokenizer.encode(text) == plain.encode(text))
    }
  }

  @Test("a pattern that matches nothing at all ends", arguments: ["()*", "(?=a)", "", "x*", "(?:)*?"])
  func empty(pattern: String) throws {
    let tokenizer = try TokenizerFileTests.load(TokenizerFileTests.file(["pre_tokenizer": Self.split(pattern)]))
    #expect(try tokenizer.decode(tokenizer.encode("abab")) == "abab")
  }

  @Test("steps that write a text many times over are stopped, each kind by its name")
  func growth() throws {
    let tenfold = Self.replacing("[a-z ]", by: "abcdefghij")
    let normalizer: JSONValue = ["type": "Sequence", "normalizers": .array(Array(repeating: tenfold, count: 12))]
    let byteLevel: JSONValue = ["type": "ByteLevel", "add_prefix_space": true, "use_regex": false]
    let steps: JSONValue = ["type": "Sequence", "pretokenizers": .array(Array(repeating: byteLevel, count: 60))]
    for (field, value) in [
      ("normalizer", normalizer), ("normalizer", Self.replacing("", by: String(repeating: "a", count: 1 << 20))),
      ("normalizer", ["type": "Prepend", "prepend": .string(String(repeating: "a", count: 2 << 20))]),
      ("pre_tokenizer", steps),
    ] as [(String, JSONValue)] {
      let tokenizer = try TokenizerFileTests.load(TokenizerFileTests.file([field: value]))
      expectDiagnostic(file: tokenizer.path, field: field, saying: "bytes of a text of 5") {
        _ = try tokenizer.encode("é ab")
      }
    }
    let decoders: JSONValue = ["type": "Sequence", "decoders": .array(Array(repeating: tenfold, count: 12))]
    let tokenizer = try TokenizerFileTests.load(TokenizerFileTests.file(["decoder": decoders]))
    expectDiagnostic(file: tokenizer.path, field: "decoder", saying: "bytes of a text of 4") {
      _ = try tokenizer.decode([2, 2])
    }
  }

  @Test("an added token that a normalizer blows up is refused when the file is read")
  func addedTokens() throws {
    let added: JSONValue = [["id": 9, "content": "word", "normalized": true]]
    let normalizer = Self.replacing("", by: String(repeating: "a", count: 1 << 20))
    expectDiagnostic(field: "normalizer", saying: "bytes of a text of 4") {
      _ = try TokenizerFileTests.load(TokenizerFileTests.file(["added_tokens": added, "normalizer": normalizer]))
    }
  }

  @Test(
    "an id beyond any vocabulary is refused before anything is made for it",
    arguments: [
      TokenizerFileTests.file(model: ["vocab": ["a": 2_147_483_647]]),
      TokenizerFileTests.file(["added_tokens": [["id": 1_099_511_627_776, "content": "x"]]]),
    ])
  func hugeIDs(file: JSONValue) {
    expectDiagnostic(saying: "16777216") { _ = try TokenizerFileTests.load(file) }
  }

  @Test(
    "ruby's spellings mean in a pattern what they mean to the reference",
    arguments: [
      // The pieces that tokenizers 0.22 makes, parted by a space.
      ("(?m:a.b)", "a\nb", "a\nb"), ("a{,2}", "aaaaa", "aa aa a"), (#"a{2}?"#, "aaaaab", "aa aa a b"),
      ("b{1,2}+", "abbbba", "a bbbb a"),
      (#"(?:\p{L}){2}?"#, "aab", "aa b"), (#"[ab]{1}+c"#, "xabcd", "x abc d"), ("a(?i)b|c", "AC aC aB", "AC  aC   aB"),
      (#"\u0041+"#, "AAB", "AA B"),
      ("(?#c)a", "ab", "a b"), (#"x\b"#, "xax\u{301}xx", "xax\u{301}x x"), ("a{", "a{b", "a{ b"),
    ])
  func spellings(pattern: String, text: String, pieces: String) throws {
    let tokenizer = try UnicodeClassesTests.bytes(
      Self.split(pattern), ["type": "Metaspace", "replacement": "|", "prepend_scheme": "always", "split": false],
      ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false])
    let marked = text.contains(" ") ? pieces.replacing("  ", with: "\u{0} ").replacing(" ", with: "|") : pieces
    let expected = marked.replacing("\u{0}", with: "").split(separator: text.contains(" ") ? "|" : " ")
    let found = try UnicodeClassesTests.text(tokenizer, text).split(separator: "|")
    #expect(found == expected, "\(pattern): \(found)")
  }

  @Test("an unknown token that the vocabulary lacks matters to a text that needs it, and to no other")
  func unknownToken() throws {
    for token in ["<unk>", ""] {
      for root in [[:], ["added_tokens": [["id": 9, "content": "<unk>"]]]] as [JSONObject] {
        let tokenizer = try TokenizerFileTests.load(TokenizerFileTests.file(root, model: ["unk_token": .string(token)]))
        #expect(try tokenizer.encode("abba") == [2, 1, 0])
        expectDiagnostic(file: tokenizer.path, field: "model.unk_token", saying: "\"\(token)\"", "\"x\"") {
          _ = try tokenizer.encode("axb")
        }
        #expect(try tokenizer.encode("abba") == [2, 1, 0])
      }
    }
  }
}

@Suite("Tokenizers: the space before a text")
struct PrefixSpaceTests {
  static func load(written: Bool, _ companions: [String: String]) throws -> Tokenizer {
    let folder = try TemporaryFolder()
    let byteLevel: JSONValue = ["type": "ByteLevel", "add_prefix_space": .bool(written), "use_regex": true]
    let file = TokenizerFileTests.file(
      ["pre_tokenizer": byteLevel], model: ["vocab": ["a": 0, "b": 1, "ab": 2, "Ġ": 4]])
    _ = try folder.write(file.serialized(), to: "tokenizer.json")
    for (name, text) in companions { _ = try folder.write(text, to: name) }
    return try Tokenizer(directory: folder.path)
  }

  @Test(
    "tokenizer_config.json decides for the classes that read it, tokenizer.json for all others",
    arguments: [
      (#"{"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true}"#, "llama", [true, true]),
      (#"{"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": false}"#, "llama", [false, false]),
      (#"{"tokenizer_class": "GPT2Tokenizer"}"#, "gpt2", [false, false]),
      (#"{"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": true}"#, "llama", [true, true]),
      (#"{"add_prefix_space": true}"#, "gpt2", [true, true]), (#"{"add_prefix_space": true}"#, "llama", [false, true]),
      (#"{"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": true}"#, "gpt2", [false, true]),
      (#"{"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": false}"#, "llama", [false, true]),
    ])
  func decided(config: String, family: String, expected: [Bool]) throws {
    for (written, adds) in zip([false, true], expected) {
      let tokenizer = try Self.load(
        written: written, ["tokenizer_config.json": config, "config.json": #"{"model_type": "\#(family)"}"#])
      #expect(try tokenizer.encode("ab") == (adds ? [4, 2] : [2]), "\(config), \(written)")
      let plain = try Self.load(written: written, [:])
      #expect((tokenizer.contentBytes == plain.contentBytes) == (adds == written), "the fingerprint tells a change")
    }
  }

  @Test("a value that is none is named")
  func malformed() {
    expectDiagnostic(field: "add_prefix_space", saying: "true or false") {
      _ = try Self.load(
        written: false, ["tokenizer_config.json": #"{"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": "true"}"#])
    }
    expectDiagnostic(saying: "must be an object") { _ = try Self.load(written: false, ["tokenizer_config.json": "[]"]) }
    expectDiagnostic(saying: "must be an object") {
      _ = try Self.load(written: false, ["tokenizer_config.json": "null"])
    }
  }
}
