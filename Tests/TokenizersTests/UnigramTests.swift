import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers: Unigram models, WordLevel models and normal forms") struct UnigramTests {
  private static func unigram(_ vocabulary: [(String, Double)], _ options: JSONObject = ["unk_id": 0]) throws
    -> Tokenizer
  {
    var model: JSONObject = ["type": "Unigram"]
    for entry in options.entries { model[entry.key] = entry.value }
    model["vocab"] = .array(vocabulary.map { [.string($0.0), .double($0.1)] })
    return try TokenizerFileTests.load(["model": .object(model)])
  }

  @Test("the way of the best score is taken, and of equals the one found first") func best() throws {
    let tokenizer = try Self.unigram([
      ("<unk>", 0), ("a", -1), ("b", -1), ("ab", -3), ("abc", -9), ("c", -1), ("bc", -2),
    ])
    #expect(try tokenizer.encode("ab") == [1, 2])
    #expect(try tokenizer.encode("abc") == [1, 6])
    #expect(try tokenizer.encode("cab") == [5, 1, 2])
  }

  @Test("unknown characters in a row are one unknown token, or the bytes that they are") func unknown() throws {
    #expect(try Self.unigram([("<unk>", 0), ("a", -1)]).encode("xyaéz") == [0, 1, 0])
    let bytes = (0...255).map { byte -> (String, Double) in
      let digits = String(byte, radix: 16, uppercase: true)
      return ("<0x\(digits.count < 2 ? "0" : "")\(digits)>", -5)
    }
    let tokenizer = try Self.unigram([("<unk>", 0), ("a", -1)] + bytes, ["unk_id": 0, "byte_fallback": true])
    #expect(try tokenizer.encode("aé") == [1, 2 + 0xC3, 2 + 0xA9])
    let lacking = try Self.unigram([("a", -1)], [:])
    #expect(try lacking.encode("aa") == [0, 0] && lacking.unknownTokenID == nil)
    expectDiagnostic(field: "model.unk_id", saying: "\"x\"") { _ = try lacking.encode("ax") }
  }

  @Test("a vocabulary of pairs tells the model where no type is named") func untyped() throws {
    let tokenizer = try TokenizerFileTests.load(.parse(#"{"model": {"vocab": [["a", -1], ["b", -2.5]], "unk_id": 1}}"#))
    #expect(try tokenizer.encode("aab") == [0, 0, 1] && tokenizer.vocabularySize == 2)
  }

  @Test("words are tokens or unknown to a WordLevel model") func wordLevel() throws {
    let tokenizer = try TokenizerFileTests.load([
      "pre_tokenizer": ["type": "WhitespaceSplit"],
      "model": ["type": "WordLevel", "vocab": ["the": 0, "?": 1, "cat": 2], "unk_token": "?"],
    ])
    #expect(try tokenizer.encode("the black cat") == [0, 1, 2])
  }

  @Test("every character has the normal forms of the reference", arguments: ["NFC", "NFD", "NFKC", "NFKD", "Nmt"])
  func forms(name: String) throws {
    var vocabulary: [JSONValue] = [["<unk>", 0]]
    for byte in 0...255 {
      let digits = String(byte, radix: 16, uppercase: true)
      vocabulary.append([.string("<0x\(digits.count < 2 ? "0" : "")\(digits)>"), 0])
    }
    let tokenizer = try TokenizerFileTests.load([
      "normalizer": ["type": .string(name)],
      "model": ["type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": .array(vocabulary)],
    ])
    let hashes = try goldenJSON("normal-forms.json").required(name).elements().map { try $0.string() }
    for (block, hash) in hashes.enumerated() {
      let characters = (max(block << 12, 1)..<(block + 1) << 12).compactMap { Unicode.Scalar(UInt32($0)) }
      let text = characters.map { String($0) }.joined(separator: "\n")
      var own: UInt64 = 0xcbf2_9ce4_8422_2325
      // The ids are the bytes, and one more.
      for id in try tokenizer.encode(text) { own = (own ^ UInt64(id - 1)) &* 0x100_0000_01b3 }
      let digits = String(own, radix: 16)
      #expect(String(repeating: "0", count: 16 - digits.count) + digits == hash, "\(name): block \(block)")
    }
  }

  @Test(
    "a long text without a space takes time in proportion to its length", arguments: ["Unigram", "BPE", "WordPiece"])
  func linear(type: String) throws {
    let tokens = (1...16).map { String(repeating: "a", count: $0) }
    var model: JSONObject = ["type": .string(type)]
    switch type {
    case "Unigram": model["vocab"] = .array(tokens.map { [.string($0), .double(-Double($0.utf8.count) - 1)] })
    case "BPE":
      model["vocab"] = .object(JSONObject(tokens.enumerated().map { ($0.element, JSONValue($0.offset)) }))
      model["merges"] = .array([1, 2, 4, 8].map { [.string(tokens[$0 - 1]), .string(tokens[$0 - 1])] })
    default:
      let all = ["?"] + tokens + tokens.map { "##\($0)" }
      model["vocab"] = .object(JSONObject(all.enumerated().map { ($0.element, JSONValue($0.offset)) }))
      for (key, value) in ["unk_token": "?", "continuing_subword_prefix": "##"] { model[key] = .string(value) }
      model["max_input_chars_per_word"] = 1000
    }
    let tokenizer = try TokenizerFileTests.load(["model": .object(model)])
    let text = String(repeating: "a", count: 100_000)
    let clock = ContinuousClock.now
    let ids = try tokenizer.encode(text)
    // A hundredth of a second or two; hours where every character would be tried against all that follow.
    #expect(ContinuousClock.now - clock < .seconds(2))
    #expect(type == "WordPiece" ? ids == [0] : ids == Array(repeating: 15, count: 6250))
  }
}
