import Files
import JSON
import RandomStreams
import TestSupport
import Testing
import Tokenizers

/// The patterns of GPT-2 and GPT-4 and literal texts are matched without PCRE2: a tokenizer whose file writes the same
/// pattern another way, which PCRE2 matches, must agree on every text.
@Suite("Tokenizers: patterns matched directly") struct WordSplitTests {
  static let patterns = [
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#,
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#,
  ]

  /// A tokenizer that puts a mark before every word, whose tokens show where words begin.
  static func marking(_ pattern: String) throws -> Tokenizer {
    let folder = try TemporaryFolder()
    var root = try goldenJSON("byte-level.tokenizer.json").object()
    var model = try goldenJSON("byte-level.tokenizer.json").required("model").object()
    var vocabulary = model["vocab"]?.objectValue ?? JSONObject()
    vocabulary["▁"] = .integer(Int64(vocabulary.count) + 100)
    model["vocab"] = .object(vocabulary)
    root["model"] = .object(model)
    root["pre_tokenizer"] = [
      "type": "Sequence",
      "pretokenizers": [
        ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Isolated", "invert": false],
        ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false],
        ["type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false],
      ],
    ]
    let tokenizer = try Tokenizer(file: folder.write(JSONValue.object(root).serialized(), to: "tokenizer.json"))
    let mark = try #require(tokenizer.id(of: "▁"))
    #expect(try tokenizer.encode("a b").count { $0 == mark } == 2)
    return tokenizer
  }

  static let pieces = [
    "'", "s", "t", "re", "ve", "m", "ll", "d", "S", "RE", "lL", "\u{17F}", "\u{212A}", " ", "  ", "\n", "\t", "\r\n",
    "\r", "a", "Z", "0", "9", "12345", "!", "'r", "'l", "\u{B}", "\u{C}", "\u{1C}", "\u{1F}", "\u{0}", "\u{7F}", "@",
    "[",
    "`", "{", "/", ":", "é", "e\u{301}", "\u{A0}", "\u{85}", "\u{3000}", "\u{2028}", "中", "文字", "。", "ひ", "한", "д",
    "א", "ع", "ก", "๓", "½", "Ⅷ", "²", "😀", "\u{1D7D8}", "𝒜", "\u{200D}", "\u{FEFF}", "\u{10FFFF}", "\u{E000}",
  ]

  @Test("random texts of many scripts", arguments: patterns) func random(pattern: String) throws {
    let direct = try Self.marking(pattern), matched = try Self.marking("(?:\(pattern))")
    var stream = RandomStream(seed: 3, name: "words")
    var differences = 0
    for _ in 0..<6_000 {
      let text = (0..<stream.below(16)).map { _ in Self.pieces[stream.below(Self.pieces.count)] }.joined()
      let (own, wanted) = (try direct.encode(text), try matched.encode(text))
      if own == wanted { continue }
      differences += 1
      Issue.record("\(text.debugDescription): \(own), not \(wanted)")
      if differences > 5 { return }
    }
  }

  @Test("every character beside others", arguments: [patterns[0], patterns[2]]) func all(pattern: String) throws {
    let direct = try Self.marking(pattern), matched = try Self.marking("(?:\(pattern))")
    // The planes of scripts, and where those of ideographs and tags begin and end.
    for page in Array(UInt32(0)..<0x20) + [0x2A, 0x2E, 0x31, 0x32, 0xE0] {
      let text = (page << 12..<(page + 1) << 12).compactMap(Unicode.Scalar.init).map { "a\($0)1\($0) \($0)!" }
        .joined()
      #expect(try direct.encode(text) == matched.encode(text), "characters from \(String(page << 12, radix: 16)) on")
    }
  }

  @Test("a literal text, wherever it stands", arguments: [" ", "aa", "aba", "é", "中a", "😀"])
  func literal(text literal: String) throws {
    func tokenizer(_ pattern: JSONValue) throws -> Tokenizer {
      try UnicodeClassesTests.bytes(
        normalizer: ["type": "Replace", "pattern": pattern, "content": "<▁>"],
        ["type": "Split", "pattern": ["String": "b"], "behavior": "Removed", "invert": false],
        ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false])
    }
    let direct = try tokenizer(["String": .string(literal)]), matched = try tokenizer(["Regex": .string(literal)])
    let parts = ["a", "b", "aa", " ", "é", "è", "e\u{301}", "中", "丮", "😀", "😁"]
    var stream = RandomStream(seed: 4, name: "literals")
    for _ in 0..<1_000 {
      let text = (0..<stream.below(12)).map { _ in parts[stream.below(parts.count)] }.joined()
      #expect(try direct.encode(text) == matched.encode(text), "\(text.debugDescription)")
    }
  }

  @Test("of added tokens the leftmost is found, and of these the longest") func addedTokens() throws {
    var stream = RandomStream(seed: 5, name: "added tokens")
    let letters = ["a", "b", "<", "é"]
    func word(_ most: Int) -> String { (0...stream.below(most)).map { _ in letters[stream.below(4)] }.joined() }
    for _ in 0..<40 {
      let tokens = Set((0..<stream.below(30) + 1).map { _ in letters[stream.below(4)] + word(5) }).sorted()
      let added = tokens.enumerated().map { index, token -> JSONValue in
        ["id": .integer(Int64(index + 10)), "content": .string(token), "special": true, "normalized": false]
      }
      let tokenizer = try TokenizerFileTests.load([
        "added_tokens": .array(added),
        "model": ["type": "BPE", "vocab": ["a": 0, "b": 1, "<": 2, "é": 3], "merges": []],
      ])
      for _ in 0..<100 {
        let text = word(40)
        var rest = Array(text.unicodeScalars)[...]
        var wanted: [Int32] = []
        while let first = rest.first {
          let found = tokens.indices.filter { rest.starts(with: tokens[$0].unicodeScalars) }
            .max { tokens[$0].utf8.count < tokens[$1].utf8.count }
          wanted.append(found.map { Int32($0 + 10) } ?? Int32(letters.firstIndex(of: String(first))!))
          rest = rest.dropFirst(found.map { tokens[$0].unicodeScalars.count } ?? 1)
        }
        #expect(try tokenizer.encode(text) == wanted, "\(text) with \(tokens)")
      }
    }
  }
}
