import Files
import JSON
import RandomStreams
import TestSupport
import Testing
import Tokenizers

/// Texts of ASCII are cut into the words of GPT-2 without a regular expression: a tokenizer whose file writes the same
/// pattern out, which is matched as one, must agree on every text.
@Suite("Words of GPT-2") struct WordSplitTests {
  private static let pattern = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  private let direct: Tokenizer
  private let matched: Tokenizer

  init() throws {
    let folder = try TemporaryFolder()
    var root = try goldenJSON("byte-level.tokenizer.json").object()
    // A mark before each word shows where words begin, whether or not a merge would cross there.
    var model = try goldenJSON("byte-level.tokenizer.json").required("model").object()
    var vocabulary = model["vocab"]?.objectValue ?? JSONObject()
    vocabulary["▁"] = .integer(Int64(vocabulary.count) + 100)
    model["vocab"] = .object(vocabulary)
    root["model"] = .object(model)
    let mark: JSONValue = ["type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": false]
    func byteLevel(_ usesPattern: Bool) -> JSONValue {
      ["type": "ByteLevel", "add_prefix_space": false, "use_regex": .bool(usesPattern)]
    }
    root["pre_tokenizer"] = ["type": "Sequence", "pretokenizers": [byteLevel(true), mark]]
    direct = try Tokenizer(file: folder.write(JSONValue.object(root).serialized(), to: "direct.json"))
    let split: JSONValue = [
      "type": "Split", "pattern": ["Regex": .string(Self.pattern)], "behavior": "Isolated", "invert": false,
    ]
    root["pre_tokenizer"] = ["type": "Sequence", "pretokenizers": [split, byteLevel(false), mark]]
    matched = try Tokenizer(file: folder.write(JSONValue.object(root).serialized(), to: "matched.json"))
    let markID = try #require(direct.id(of: "▁"))
    #expect(try direct.encode("a b").count { $0 == markID } == 2)
  }

  @Test("are those of the pattern, in texts of all bytes of ASCII and beyond") func agree() throws {
    var stream = RandomStream(seed: 3, name: "words")
    let pieces = [
      "'", "s", "t", "re", "ve", "m", "ll", "d", " ", "  ", "\n", "\t", "\r\n", "a", "Z", "0", "9", "!", "'r", "'l",
      "\u{B}", "\u{C}", "\u{1C}", "\u{1F}", "\u{0}", "\u{7F}", "@", "[", "`", "{", "/", ":", "é", "\u{A0}",
    ]
    var differences = 0
    for _ in 0..<20_000 {
      // One text of eight has characters that are not of ASCII.
      let kinds = stream.below(8) == 0 ? pieces.count : pieces.count - 2
      let text = (0..<stream.below(12)).map { _ in pieces[stream.below(kinds)] }.joined()
      let (own, wanted) = (try direct.encode(text), try matched.encode(text))
      if own != wanted {
        differences += 1
        Issue.record("\(text.debugDescription): \(own), not \(wanted)")
        if differences > 5 { return }
      }
    }
    for byte in UInt8(0)..<0x80 {
      for text in [
        "a\(byte.character)b", " \(byte.character) ", "'\(byte.character)", "\(byte.character)\(byte.character)",
      ] {
        #expect(try direct.encode(text) == matched.encode(text), "\(text.debugDescription)")
      }
    }
  }
}

extension UInt8 {
  fileprivate var character: Character { Character(Unicode.Scalar(self)) }
}
