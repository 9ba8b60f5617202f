import Configuration
import Diagnostics
import JSON
import RandomStreams
import TestSupport
import Testing

@Suite("YAML") struct YAMLRoundTripTests {
  private func tree(_ bytes: [UInt8]) throws -> JSONValue {
    try ConfigurationFile(bytes: bytes, path: "f").decode(FreeForm.self).value
  }

  @Test("YAML written from any text reads back as that text") func texts() throws {
    let texts = [
      "", " ", "a", "a b", " a", "a ", "null", "~", "true", "No", "12", "-1.5", ".5", "1e3", "0x10", "2020-01-01", "-",
      "- a",
      "---", "...", "a: b", "a #b", "#a", "a\nb", "\ta", "\"", "'", "\\", "[a]", "{a}", "&a", "*a", "!a", "|", ">",
      "%a", "@a",
      "`a", "é", "e\u{301}", "日本", "😀", "\u{0}", "\u{7f}", "\u{85}", "\u{a0}", "\u{2028}", "\u{feff}", "a,b", "?",
      "? a", "<<", "=", "a: ", ": a", "a\n", "\n a", "a\r\nb", "a \n  b", "\u{fffd}", "\u{e000}",
      "\u{10ffff}", "\u{1b}[2J",
      "...a", "--- a", "a ---", "1:20", "0o7", "1_000", "+.inf", ".NaN", "off", "Y",
      String(repeating: "long ", count: 60),
    ]
    for text in texts {
      for value in [["k": .string(text)], ["k": [.string(text), ["x"]]], [text == "" ? "k" : text: "v"]] as [JSONValue]
      {
        if text == "<<" && value["k"] == nil { continue }
        let written = try ConfigurationFile.text(of: FreeForm(value))
        #expect(try tree(Array(written.utf8)) == value, "\(written)")
        #expect(try ConfigurationFile(text: written, path: "f").text == written)
      }
    }
  }

  @Test(
    "a text that could be read as another type is quoted, and a value of that type is not",
    arguments: [
      "null", "Null", "~", "", "true", "FALSE", "yes", "No", "on", "off", "y", "N", "0", "-1", "+12", "1.5", ".5",
      "1e3",
      "1.", "0x1F", "0o17", "017", "0b11", "1_000", "190:20:30", "2020-01-01", "2001-12-14t21:59:43.10-05:00", ".inf",
      "-.INF", "+.inf", ".NaN", "=", "<<",
    ])
  func quoted(text: String) throws {
    let written = try ConfigurationFile.text(of: FreeForm(["k": .string(text), "l": [.string(text)]]))
    #expect(written == "k: \"\(text)\"\nl: [\"\(text)\"]\n")
    // What stood there without quotes, a number for instance, gets none.
    let word = try ConfigurationFile(text: "k: \(text)\n", path: "f")
    guard text.allSatisfy({ $0 != ":" && $0 != "=" && $0 != "<" }) else { return }
    #expect(word.text == (word.root["k"]!.isNull ? "k: null\n" : "k: \(text)\n"))
  }

  @Test("what is written is in block style, a short list on the line of its key") func layout() throws {
    let value: JSONValue = [
      "name": "a b", "note": "2: x", "list": [["path": "p/q.jsonl", "weight": 1.5], ["path": "é"]], "sizes": [1, 2],
      "none": [:], "empty": [],
      "inner": ["deep": ["x": true, "z": nil], "long": .array((0..<30).map { .string("word\($0)") })],
    ]
    let expected = """
      name: a b
      note: "2: x"
      list:
      - path: p/q.jsonl
        weight: 1.5
      - path: "é"
      sizes: [1, 2]
      none: {}
      empty: []
      inner:
        deep:
          x: true
          z: null
        long:

      """ + (0..<30).map { "  - word\($0)\n" }.joined()
    let written = try ConfigurationFile.text(of: FreeForm(value))
    #expect(written == expected, "\(written)")
    for root in [JSONValue.string("a"), 1, [1, 2]] {
      let line = try ConfigurationFile.text(of: FreeForm(root))
      #expect(line == (root == [1, 2] ? "[1, 2]\n" : root == 1 ? "1\n" : "a\n"))
    }
  }

  @Test("what earlier versions wrote is still read, as the same tree") func earlier() throws {
    // Lists stood further right than their keys, and what could not be printed had escapes of eight digits.
    let earlier = """
      text: "a\\U00000000\\U000000a0b\\U00002028"
      sets:
        - path: p
          weight: 1
        -   - 1
            - {}
      sizes: [1, 2]

      """
    let file = try ConfigurationFile(text: earlier, path: "config.yaml")
    let expected: JSONValue = [
      "text": "a\0\u{a0}b\u{2028}", "sets": [["path": "p", "weight": 1], [1, [:]]], "sizes": [1, 2],
    ]
    #expect(try file.decode(FreeForm.self).value == expected)
    #expect(try ConfigurationFile(text: file.text, path: "config.yaml").root == file.root)
  }

  @Test("YAML of any shape reads back as that shape") func shapes() throws {
    let long = JSONValue.array((0..<40).map { .integer($0) })
    let value: JSONValue = [
      "empty": [], "none": [:], "nested": [[], [1, [2, [3]]], ["a": [["b": 1, "c": [["d": nil]]]]]], "long": long,
      "numbers": [0, -1, 1.5, -2e-300, 1e300, 0.1], "flags": [true, false],
    ]
    let written = try ConfigurationFile.text(of: FreeForm(value))
    #expect(try tree(Array(written.utf8)) == value, "\(written)")
  }

  @Test("YAML of random trees reads back as the same tree") func random() throws {
    var stream = RandomStream(seed: 11, name: "yaml")
    let letters = Array("ab1-.:#'\"\\,[]{}&*!|>%@`?~= \n\t\r\0é日😀\u{85}\u{a0}\u{2028}\u{feff}".unicodeScalars)
    func word() -> String {
      var text = String.UnicodeScalarView()
      for _ in 0..<stream.below(6) { text.append(letters[stream.below(letters.count)]) }
      return String(text)
    }
    func node(_ depth: Int) -> JSONValue {
      let shape = stream.below(depth < 5 ? 7 : 4)
      if shape < 4 { return [.string(word()), .integer(Int64(stream.below(99))), nil, true][shape] }
      let children = (0..<stream.below(4)).map { _ in (word(), node(depth + 1)) }
      if shape < 6 { return .array(children.map(\.1)) }
      var object = JSONObject()
      for (key, value) in children where object[key] == nil { object[key] = value }
      return .object(object)
    }
    for _ in 0..<2000 {
      let value: JSONValue = ["k": node(0)]
      let file = try ConfigurationFile(text: ConfigurationFile.text(of: FreeForm(value)), path: "f")
      #expect(try file.decode(FreeForm.self).value == value, "\(file.text)")
      #expect(try ConfigurationFile(text: file.text, path: "f").root == file.root)
    }
  }

  @Test("YAML that is damaged is read or refused, and what was read is written and read again as the same") func fuzz()
    throws
  {
    let pieces = [
      "- ", ": ", "{", "}", "[", "]", "|\n", "\"", "'", "#", "&a ", "*a", "!!str ", "? ", "---\n", "\t", "  ",
    ]
    var read = 0
    for bytes in Mutations(of: Array(example.utf8), count: 3000, dictionary: pieces) {
      let file: ConfigurationFile
      do { file = try ConfigurationFile(bytes: bytes, path: "f") } catch is Diagnostic { continue }
      read += 1
      let again = try ConfigurationFile(text: file.text, path: "f")
      #expect(try again.decode(FreeForm.self) == file.decode(FreeForm.self), "\(file.text)")
      #expect(again.text == file.text)
      do { _ = try file.decode(Run.self) } catch is Diagnostic {}
    }
    #expect(read > 500)
  }
}
