import Diagnostics
import Files
import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers: files")
struct TokenizerFileTests {
  /// A small valid tokenizer file with some keys of its root and of its model replaced.
  static func file(_ root: JSONObject = [:], model: JSONObject = [:]) -> JSONValue {
    var inner: JSONObject = ["type": "BPE", "vocab": ["a": 0, "b": 1, "ab": 2, "<s>": 3], "merges": [["a", "b"]]]
    for entry in model.entries { inner[entry.key] = entry.value }
    var outer: JSONObject = ["version": "1.0", "model": .object(inner), "decoder": ["type": "Fuse"]]
    for entry in root.entries { outer[entry.key] = entry.value }
    return .object(outer)
  }

  static func load(_ file: JSONValue) throws -> Tokenizer {
    let folder = try TemporaryFolder()
    return try Tokenizer(file: folder.write(file.serialized(), to: "tokenizer.json"))
  }

  @Test(
    "an unsupported or malformed part is named with file and field",
    arguments: [
      (
        file(["normalizer": ["type": "Precompiled", "precompiled_charsmap": ""]]), "normalizer.precompiled_charsmap",
        "bytes of a trie"
      ),
      (
        file(["normalizer": ["type": "Precompiled", "precompiled_charsmap": "A*=="]]),
        "normalizer.precompiled_charsmap", "Base64"
      ),
      (
        file(["pre_tokenizer": ["type": "Sequence", "pretokenizers": [["type": "UnicodeScripts"]]]]),
        "pre_tokenizer.pretokenizers[0]", "UnicodeScripts"
      ),
      (file(["post_processor": ["type": "Odd"]]), "post_processor", "Odd is not supported"),
      (file(["decoder": ["type": "CTC"]]), "decoder", "CTC is not supported"),
      (file(["decoder": ["type": "Metaspace", "replacement": ""]]), "decoder.replacement", "one character"),
      (
        file(["decoder": ["type": "Strip", "content": "ab", "start": 1, "stop": 0]]), "decoder.content", "one character"
      ),
      (
        file(["pre_tokenizer": ["type": "Split", "pattern": ["Regex": "(a"], "behavior": "Isolated"]]),
        "pre_tokenizer.pattern.Regex", "(a is not understood"
      ),
      (
        file(["pre_tokenizer": ["type": "Split", "pattern": ["Regex": "[a-z&&[^b]]"]]]), "pre_tokenizer.pattern.Regex",
        "intersection"
      ),
      (
        file(["pre_tokenizer": ["type": "Split", "pattern": ["Regex": "[^(\\s|[.,])]+"]]]),
        "pre_tokenizer.pattern.Regex", "inside another"
      ),
      (file(["pre_tokenizer": ["type": "Split", "pattern": ["String": ""]]]), "pre_tokenizer.pattern.String", "empty"),
      (
        file(["pre_tokenizer": ["type": "Split", "pattern": ["String": "a"], "behavior": "Odd"]]),
        "pre_tokenizer.behavior", "Odd"
      ),
      (
        file(["added_tokens": [["id": 1, "content": "<s>"]]]), "added_tokens[0]",
        "the vocabulary gives its content the id 3"
      ),
      (file(["added_tokens": [["id": -1, "content": "x"]]]), "added_tokens[0].id", "at least 0"),
      (file(model: ["type": "Odd"]), "model", "Odd is not supported"),
      (file(model: ["type": "Unigram"]), "model", "its vocabulary is an object"),
      (file(model: ["vocab": [["a", -1.5]]]), "model", "its vocabulary is a list"),
      (file(model: ["type": "Unigram", "vocab": []]), "model", "has no vocabulary"),
      (file(model: ["type": "Unigram", "vocab": [["a", -1.5]], "unk_id": 1]), "model.unk_id", "at most 0"),
      (file(model: ["merges": [["a", "c"]]]), "model", "merges[0]: \"a\", \"c\""),
      (file(model: ["dropout": 0.1]), "model.dropout", "must be null"),
      (["version": "1.0"], "model", "is missing"),
    ] as [(JSONValue, String, String)])
  func refused(file: JSONValue, field: String, saying: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(file.serialized(pretty: true), to: "tokenizer.json")
    expectDiagnostic(file: path, field: field, saying: saying) { _ = try Tokenizer(file: path) }
  }

  @Test(
    "what the scanner finds wrong is named with the line",
    arguments: [
      (#"{"model": {"vocab": {"a": 0,"# + "\n" + #""a": 1}}}"#, 2, "comes twice"),
      (#"{"model": {"vocab": {"a": 0, "b": 0}}}"#, 1, "comes twice"),
      (#"{"model": {"vocab": {"a": -1}}}"#, 1, "is not in 0"), (#"{"model": {"vocab": {"a": 1e3}}}"#, 1, "an integer"),
      (#"{"model": {"merges": ["ab"]}}"#, 1, "pair"), (#"{"model": {"merges": [["a"]]}}"#, 1, "pair"),
      (#"{"model": {"vocab": [["a", 1], ["a", 2]]}}"#, 1, "comes twice"),
      (#"{"model": {"vocab": [["a", "b"]]}}"#, 1, "pair"), (#"{"model": {"vocab": [["a", 1, 2]]}}"#, 1, "pair"),
      (#"{"model": {"vocab": [["a"]]}}"#, 1, "pair"), (#"{"model": {"vocab": ["a"]}}"#, 1, "expected an array"),
      (#"{"model": 3}"#, 1, "must be an object"), (#"{"model": {}, "model": {}}"#, 1, "comes twice"),
      ("[]", 1, "expected an object"), ("", 1, "expected an object"),
    ])
  func malformed(text: String, line: Int, saying: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(text, to: "tokenizer.json")
    expectDiagnostic(file: path, line: line, saying: saying) { _ = try Tokenizer(file: path) }
  }

  @Test(
    "damaged files load or give a diagnostic, and what loads encodes",
    arguments: ["byte-fallback", "splits-b", "whitespace", "word-piece-uncased"])
  func fuzz(name: String) throws {
    let folder = try TemporaryFolder()
    let original = try File.read("\(goldenFolder)/\(name).tokenizer.json")
    var loaded = 0
    for bytes in Mutations(of: original, count: 150, dictionary: ["null", "[]", "{}", "\"type\"", "-1", "\"\""]) {
      let path = try folder.write(bytes, to: "tokenizer.json")
      do {
        let tokenizer = try Tokenizer(file: path)
        loaded += 1
        _ = try tokenizer.decode(tokenizer.encode("The student's <s> 12 é蒸 \n", addSpecialTokens: true))
      } catch let diagnostic as Diagnostic {
        if diagnostic.file != path { Issue.record("\(diagnostic)") }
      }
    }
    #expect(loaded < 150)
  }

  @Test("merges are read in both forms, before the vocabulary too")
  func mergeForms() throws {
    for merges: JSONValue in [["a b"], [["a", "b"]]] {
      #expect(try Self.load(Self.file(model: ["merges": merges])).encode("abba") == [2, 1, 0])
    }
    let reversed = #"{"model": {"merges": ["a b"], "vocab": {"a": 0, "b": 1, "ab": 2}}}"#
    #expect(try Self.load(.parse(reversed)).encode("ab") == [2])
  }

  @Test("a character without a token is nothing, or the unknown token")
  func unknown() throws {
    #expect(try Self.load(Self.file()).encode("axxb") == [2])
    #expect(try Self.load(Self.file(model: ["unk_token": "<s>"])).encode("axxb") == [0, 3, 3, 1])
    #expect(try Self.load(Self.file(model: ["unk_token": "<s>", "fuse_unk": true])).encode("axxb") == [0, 3, 1])
  }

  @Test("the files beside the tokenizer name its special tokens and template, the first that does wins")
  func companions() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write(
      Self.file(["added_tokens": [["id": 9, "content": "<end>"]]]).serialized(), to: "tokenizer.json")
    #expect(try Tokenizer(directory: folder.path).eosTokenID == nil)
    _ = try folder.write(#"{"bos_token_id": 1, "eos_token_id": [2, 3]}"#, to: "generation_config.json")
    var tokenizer = try Tokenizer(directory: folder.path)
    #expect(tokenizer.bosTokenID == 1 && tokenizer.eosTokenID == 2 && tokenizer.chatTemplate == nil)
    _ = try folder.write(#"{"eos_token": "<end>", "bos_token": "a"}"#, to: "special_tokens_map.json")
    let templates = #"[{"name": "tool", "template": "T"}, {"name": "default", "template": "D"}]"#
    _ = try folder.write(
      #"{"bos_token": {"content": "<s>"}, "eos_token": null, "chat_template": \#(templates)}"#,
      to: "tokenizer_config.json")
    tokenizer = try Tokenizer(directory: folder.path)
    #expect(tokenizer.bosTokenID == 3 && tokenizer.eosTokenID == 9 && tokenizer.chatTemplate == "D")
    #expect(tokenizer.vocabularySize == 10 && tokenizer.id(of: "<end>") == 9 && tokenizer.token(9) == "<end>")
    #expect(tokenizer.token(7) == nil && tokenizer.token(-1) == nil && tokenizer.id(of: "zz") == nil)
    _ = try folder.write("{{ messages }}", to: "chat_template.jinja")
    #expect(try Tokenizer(directory: folder.path).chatTemplate == "{{ messages }}")
    _ = try folder.write(#"{"bos_token": 5}"#, to: "tokenizer_config.json")
    expectDiagnostic(file: folder.file("tokenizer_config.json"), field: "bos_token", saying: "must be an object") {
      _ = try Tokenizer(directory: folder.path)
    }
  }

  @Test("a folder without a tokenizer is refused")
  func missing() throws {
    let folder = try TemporaryFolder()
    expectDiagnostic(file: folder.path, saying: "no tokenizer.json") { _ = try Tokenizer(directory: folder.path) }
  }
}
