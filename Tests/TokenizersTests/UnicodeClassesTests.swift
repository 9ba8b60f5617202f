import JSON
import TestSupport
import Testing
import Tokenizers

@Suite("Tokenizers: classes of characters")
struct UnicodeClassesTests {
  /// The characters that the golden file speaks of, as `scripts/golden/unicode_classes.py` lists them.
  static let characters: [Unicode.Scalar] = [
    0x2..<0x3500, 0x4D00..<0x4F00, 0x9F00..<0xAD00, 0xD700..<0xD800, 0xF900..<0x17100, 0x18700..<0x20100,
    0x2A600..<0x2A800, 0x2B700..<0x2B900, 0x2CE00..<0x2CF00, 0x2EB00..<0x30100, 0x31300..<0x31400, 0x32300..<0x33480,
    0xE0000..<0xE0200,
  ].flatMap { range in range.compactMap { Unicode.Scalar(UInt32($0)) } }

  /// A tokenizer whose ids are the bytes that its pre-tokenizer leaves.
  static func bytes(normalizer: JSONValue = .null, _ steps: JSONValue...) throws -> Tokenizer {
    var next: UInt32 = 0x100
    let standIns = (0..<256).map { (byte: UInt32) -> (String, JSONValue) in
      let isItself = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)
      if !isItself { next += 1 }
      return (String(Character(Unicode.Scalar(isItself ? byte : next - 1)!)), JSONValue(Int(byte)))
    }
    return try TokenizerFileTests.load([
      "normalizer": normalizer, "pre_tokenizer": ["type": "Sequence", "pretokenizers": .array(steps)],
      "model": ["type": "BPE", "vocab": .object(JSONObject(standIns)), "merges": []],
    ])
  }

  static func text(_ tokenizer: Tokenizer, _ text: String) throws -> String {
    String(decoding: try tokenizer.encode(text).map { UInt8($0) }, as: UTF8.self)
  }

  /// The characters of runs written as distances and lengths.
  static func golden(_ key: String, in file: String = "unicode-classes.json") throws -> Set<Unicode.Scalar> {
    var result: Set<Unicode.Scalar> = []
    var end = 0
    let numbers = try goldenJSON(file).required(key).elements().map { try $0.integer() }
    for index in stride(from: 0, to: numbers.count, by: 2) {
      let start = end + numbers[index]
      end = start + numbers[index + 1]
      for value in start..<end { if let scalar = Unicode.Scalar(UInt32(value)) { result.insert(scalar) } }
    }
    return result
  }

  static func expectSame(_ key: String, _ found: Set<Unicode.Scalar>, allowing allowed: Int) throws {
    let differing = try golden(key).symmetricDifference(found)
    let shown = differing.sorted().prefix(20).map { String($0.value, radix: 16) }
    #expect(differing.count <= allowed, "\(key): \(differing.count) characters differ, such as \(shown)")
  }

  @Test(
    "a pattern takes the same characters",
    arguments: [
      #"\p{L}"#, #"\p{N}"#, #"\p{M}"#, #"\p{P}"#, #"\p{S}"#, #"\p{Lu}"#, #"\p{Han}"#, #"\s"#, #"\w"#, "[[:alpha:]]",
      "[[:upper:]]", "[[:punct:]]", #"[^\s\p{L}\p{N}]"#, #"(?i:\p{Ll})"#, #"[\x{A700}-\x{A7FF}\p{Lo}]"#,
    ])
  func patterns(_ pattern: String) throws {
    let tokenizer = try Self.bytes(
      ["type": "Split", "pattern": ["Regex": .string(pattern)], "behavior": "Removed", "invert": false],
      ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false])
    let text = String(String.UnicodeScalarView(Self.characters))
    let kept = Set(try Self.text(tokenizer, text).unicodeScalars)
    // Old characters that only a later Unicode calls alphabetic.
    let allowed = pattern == "[[:alpha:]]" ? 38 : 0
    try Self.expectSame(pattern, Set(Self.characters).subtracting(kept), allowing: allowed)
  }

  @Test("a pre-tokenizer cuts at the same characters", arguments: ["Whitespace", "Punctuation", "Digits"])
  func steps(_ step: String) throws {
    let tokenizer = try Self.bytes(
      ["type": .string(step), "individual_digits": true],
      ["type": "ByteLevel", "add_prefix_space": true, "use_regex": false])
    let spaces: Set<Unicode.Scalar> = Set(Self.characters.filter(\.properties.isWhitespace))
    var found = try Self.golden(step).intersection(spaces)
    for character in Self.characters where !spaces.contains(character) {
      let text = "a\(String(String.UnicodeScalarView([character])))a"
      if try Self.text(tokenizer, text).utf8.count > text.utf8.count + 1 { found.insert(character) }
    }
    // Digits of a Unicode that the reference's compiler knew, and its patterns do not.
    try Self.expectSame(step, found, allowing: step == "Digits" ? 13 : 0)
  }
}
