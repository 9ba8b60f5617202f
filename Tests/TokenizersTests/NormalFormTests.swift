import JSON
import RandomStreams
import Testing
import Tokenizers
@_spi(_Unicode) import Swift

/// Normalizers pass over characters that they leave as they are, or look up what becomes of them: texts come out as they do
/// without.
@Suite("Tokenizers: normalizers of single characters") struct NormalFormTests {
  /// Characters of Unicode 9, the tables of the reference, and those that no version has assigned.
  static let known = (UInt32(0)..<0x20000).compactMap(Unicode.Scalar.init).filter {
    ($0.properties.age?.major ?? 0) <= 9 && $0.properties.generalCategory != .privateUse
  }

  static func tokenizer(_ normalizer: JSONValue) throws -> Tokenizer {
    try UnicodeClassesTests.bytes(
      normalizer: normalizer, ["type": "ByteLevel", "add_prefix_space": false, "use_regex": false])
  }

  /// Random texts: characters from everywhere, from those of one script, and marks that are put in order or taken up.
  static func texts(_ count: Int, from characters: [Unicode.Scalar]) -> [String] {
    var stream = RandomStream(seed: 7, name: "normal forms")
    let marks = characters.filter { $0.properties.canonicalCombiningClass != .notReordered }
    let parts = Array("e\u{301}\u{323}\u{9BE}\u{9C7}\u{1100}\u{1161}\u{11A8}가あか\u{3099}".unicodeScalars)
    return (0..<count).map { _ in
      let start = stream.below(characters.count - 200)
      let scalars = (0..<stream.below(24)).map { _ in
        switch stream.below(6) {
        case 0: marks[stream.below(marks.count)]
        case 1: parts[stream.below(parts.count)]
        case 2: characters[stream.below(characters.count)]
        case 3: Unicode.Scalar(UInt8(0x20 + stream.below(0x5F)))
        default: characters[start + stream.below(200)]
        }
      }
      return String(String.UnicodeScalarView(scalars))
    }
  }

  @Test("composition is that of the standard library") func composed() throws {
    let tokenizer = try Self.tokenizer(["type": "NFC"])
    func check(_ text: String) throws {
      let wanted = String(String.UnicodeScalarView(text._nfc))
      let found = try UnicodeClassesTests.text(tokenizer, text)
      #expect(Array(found.utf8) == Array(wanted.utf8), "\(text.unicodeScalars.map { String($0.value, radix: 16) })")
    }
    // Every character alone, before and behind marks, and in its parts.
    for start in stride(from: 0, to: Self.known.count, by: 64) {
      let characters = Self.known[start..<min(start + 64, Self.known.count)]
      try check(
        characters.map { "a\($0)\u{301}\u{323}b\u{301}\($0) \(String(String.UnicodeScalarView(String($0)._nfd)))\($0)" }
          .joined())
    }
    for text in Self.texts(4_000, from: Self.known) { try check(text) }
  }

  @Test(
    "what BERT makes of a text is the same beside a mark that has all of it done anew",
    arguments: [(true, true), (true, false), (false, true), (false, false)], [false, true])
  func bert(cleans: (text: Bool, chinese: Bool), lowercases: Bool) throws {
    for strips: JSONValue in [.null, true, false] {
      let tokenizer = try Self.tokenizer([
        "type": "BertNormalizer", "clean_text": .bool(cleans.text), "handle_chinese_chars": .bool(cleans.chinese),
        "strip_accents": strips, "lowercase": .bool(lowercases),
      ])
      // Decomposition may move this mark, which is left there: what is around it may matter.
      let mark = "é\u{302E}"
      let behind = try UnicodeClassesTests.text(tokenizer, mark)
      // Every character of the planes that are remembered, and some of the next, under the usual settings.
      let end: UInt32 = cleans.text && cleans.chinese && strips == .null ? 0x20400 : 0x400
      let characters = (0x20..<end).compactMap(Unicode.Scalar.init)
      let chunks = stride(from: 0, to: characters.count, by: 256).map { start in
        characters[start..<min(start + 256, characters.count)].map { "\($0)a" }.joined()
      }
      for text in chunks + Self.texts(200, from: Self.known) {
        let found = try UnicodeClassesTests.text(tokenizer, text + "x")
        let wanted = try UnicodeClassesTests.text(tokenizer, text + "x" + mark)
        #expect(Array(wanted.utf8) == Array(found.utf8) + Array(behind.utf8), "\(text.debugDescription)")
      }
    }
  }
}
