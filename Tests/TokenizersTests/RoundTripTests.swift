import JSON
import RandomStreams
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers: round trips")
struct RoundTripTests {
  /// Seeded texts of scalars from every plane, with white space, controls and combining marks in plenty.
  static func randomTexts(_ count: Int) -> [String] {
    var stream = RandomStream(seed: 3, name: "texts")
    let common = Array(
      " \n\t\r abcXYZ019.,'!?éüя蒸😀\u{301}\u{200D}\u{A0}\u{3000}▁Ġ<>|\u{0}\u{7F}\u{FEFF}".unicodeScalars)
    return (0..<count).map { _ in
      var text = String.UnicodeScalarView()
      for _ in 0..<stream.below(60) {
        if stream.below(3) > 0 {
          text.append(common[stream.below(common.count)])
        } else if let scalar = Unicode.Scalar(UInt32(stream.below(0x110000))) {
          text.append(scalar)
        }
      }
      return String(text)
    }
  }

  static func check(_ tokenizer: Tokenizer, _ texts: [String], _ label: String) throws {
    for text in texts {
      let back = try tokenizer.decode(tokenizer.encode(text), skipSpecialTokens: false)
      if !sameBytes(back, text) {
        Issue.record("\(label): \(text.debugDescription) came back as \(back.debugDescription)")
      }
    }
  }

  @Test("a byte-level tokenizer gives back any text")
  func byteLevel() throws {
    try Self.check(Tokenizer(file: "\(goldenFolder)/splits-a.tokenizer.json"), Self.randomTexts(400), "splits-a")
  }

  @Test(
    "real byte-level and byte-fallback tokenizers give back any text", .needsSharedData,
    arguments: ["tokenizers/gpt2", "tokenizers/opt", "tokenizers/llama2", "models/stories260K"])
  func real(folder: String) throws {
    // The Llama tokenizers write a space as ▁ and cannot tell the two apart afterwards.
    let texts = Self.randomTexts(300).map { String($0.unicodeScalars.filter { $0 != "▁" }) }
    try Self.check(Tokenizer(directory: SharedData.path(folder)), texts, folder)
  }

  @Test("Qwen2 composes first, and gives back what it composed", .needsSharedData)
  func qwen() throws {
    let tokenizer = try Tokenizer(directory: SharedData.path("tokenizers/qwen2"))
    let composed = try Self.randomTexts(300).map {
      try tokenizer.decode(tokenizer.encode($0), skipSpecialTokens: false)
    }
    try Self.check(tokenizer, composed, "qwen2")
    #expect(sameBytes(try tokenizer.decode(tokenizer.encode("e\u{301}")), "\u{E9}"))
  }

  @Test("character tokenizers give back the texts they can express", .needsSharedData)
  func characters() throws {
    let line = "Once upon a time, there was a girl. She said: What is it? Yes!"
    try Self.check(Tokenizer(directory: SharedData.path("models/babyllama/teacher")), [line], "babyllama")
    try Self.check(
      Tokenizer(directory: SharedData.path("models/shakespeare-gpt2")), ["To be, or not to be:\nthat is; Ay!\n\n"],
      "shakespeare")
  }

  @Test("a word of 200 KB is no trouble, and the cache changes nothing", .needsSharedData)
  func longWord() throws {
    let tokenizer = try Tokenizer(directory: SharedData.path("tokenizers/llama2"))
    let long = String(repeating: "antidisestablishment", count: 10_000)
    #expect(sameBytes(try tokenizer.decode(tokenizer.encode(long)), long))
    let text = "the cat sat on the mat with the hat " + long.prefix(500)
    let first = try tokenizer.encode(text)
    #expect(try tokenizer.encode(text) == first)
  }

  @Test("concurrent encodings agree")
  func concurrent() async throws {
    let tokenizer = try Tokenizer(file: "\(goldenFolder)/byte-level.tokenizer.json")
    let texts = Self.randomTexts(200)
    let expected = try texts.map { try tokenizer.encode($0) }
    let all = try await withThrowingTaskGroup(of: [[Int32]].self) { group in
      for _ in 0..<4 { group.addTask { try texts.map { try tokenizer.encode($0) } } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(all.count == 4 && all.allSatisfy { $0 == expected })
  }

  @Test("canonically equivalent tokens stay two tokens")
  func canonicalEquivalence() throws {
    let folder = try TemporaryFolder()
    let vocabulary: JSONValue = ["\u{E9}": 0, "e": 1, "\u{301}": 2, "e\u{301}": 3]
    let model: JSONValue = ["type": "BPE", "vocab": vocabulary, "merges": [["e", "\u{301}"]]]
    let file: JSONValue = ["model": model, "decoder": ["type": "Fuse"]]
    let tokenizer = try Tokenizer(file: folder.write(file.serialized(), to: "tokenizer.json"))
    #expect(try tokenizer.encode("\u{E9}e\u{301}") == [0, 3])
    #expect(tokenizer.id(of: "\u{E9}") == 0 && tokenizer.id(of: "e\u{301}") == 3)
    #expect(sameBytes(tokenizer.token(3)!, "e\u{301}"))
  }
}
