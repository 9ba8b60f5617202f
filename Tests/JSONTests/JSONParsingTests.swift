import Diagnostics
import JSON
import RandomStreams
import TestSupport
import Testing

@Suite("JSON parsing: RFC 8259, strictly")
struct JSONParsingTests {
  @Test(
    "reads what the grammar allows",
    arguments: [
      ("null", .null), (" true\n", true), ("false", false), ("0", 0), ("-1", -1), ("1.5", 1.5), ("1e2", 100.0),
      ("-0", .double(-0.0)), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
      ("9223372036854775808", 9223372036854775808.0), ("-9223372036854775809", -9223372036854775809.0),
      ("5e-324", .double(.leastNonzeroMagnitude)), ("1E+2", 100.0),
      ("123456789012345678901234567890", 123456789012345678901234567890.0),
      ("\"\"", ""), ("\"a\\u0041\\n\\/\\\\\\\"\"", "aA\n/\\\""), ("\"\\ud83d\\ude00\"", "😀"),
      ("\"é\u{10FFFF}\"", "é\u{10FFFF}"),
      ("\"\\u0000\"", "\0"), ("[]", []), ("[1, [2,\t[]]]", [1, [2, []]]), ("{}", [:]), ("\u{FEFF}[1]", [1]),
      ("{\"b\": 1,\r\n\"a\": {\"c\": null}}", ["b": 1, "a": ["c": nil]]),
    ] as [(String, JSONValue)])
  func accepts(text: String, expected: JSONValue) throws {
    #expect(try JSONValue.parse(text) == expected)
  }

  @Test(
    "refuses everything else, with the line",
    arguments: [
      ("", 1, "a value"), (" \n", 2, "the end"), ("nul", 1, "null"), ("True", 1, "'T'"), ("[1,]", 1, "a value"),
      ("[1\n2]", 2, "a comma or ]"), ("{\"a\":1,}", 1, "a key"), ("{\"a\" 1}", 1, "colon"), ("{a:1}", 1, "a key"),
      ("{'a':1}", 1, "a key"), ("[1", 1, "the end"), ("01", 1, "start with 0"), ("-", 1, "a digit"),
      (".5", 1, "a value"),
      ("1.", 1, "a digit"), ("1e", 1, "a digit"), ("+1", 1, "'+'"), ("1e999", 1, "range"), ("NaN", 1, "'N'"),
      ("-Infinity", 1, "a digit"), ("0x10", 1, "'x'"), ("\"a", 1, "closing"), ("\"\n\"", 1, "control"),
      ("\"\\x\"", 1, "backslash"), ("\"\\u12g4\"", 1, "hexadecimal"), ("\n\n\"\\ud800\"", 3, "surrogate"),
      ("\"\\udc00\"", 1, "surrogate"), ("\"\\ud800\\u0041\"", 1, "surrogate"), ("\"\\ud800\\n\"", 1, "surrogate"),
      ("[1] 2", 1, "the end"), ("{\"a\":1,\n\"a\":2}", 2, "comes twice"), ("// c\n1", 1, "'/'"),
      ("[1}", 1, "a comma or ]"),
      (String(repeating: "[", count: 513), 1, "512 levels"), ("{\"\\u0061\":1,\"a\":2}", 1, "comes twice"),
    ])
  func refuses(text: String, line: Int, saying: String) {
    expectDiagnostic(file: "x.json", line: line, saying: saying) { _ = try JSONValue.parse(text, file: "x.json") }
  }

  @Test("nesting up to the limit is read")
  func deepNesting() throws {
    let text = String(repeating: "[", count: 512) + String(repeating: "]", count: 512)
    #expect(try JSONValue.parse(text).text() == text)
  }

  @Test("a line of JSONL is reported under its own number")
  func lineOffset() {
    expectDiagnostic(file: "rows.jsonl", line: 17, saying: "a value") {
      _ = try JSONValue.parse("{\"prompt\": }", file: "rows.jsonl", line: 17)
    }
  }

  @Test("canonically equivalent keys are two keys")
  func canonicalEquivalence() throws {
    let value = try JSONValue.parse("{\"\u{E9}\": 1, \"e\u{301}\": 2}")
    #expect(value["\u{E9}"] == 1)
    #expect(value["e\u{301}"] == 2)
    #expect(JSONValue.string("\u{E9}") != JSONValue.string("e\u{301}"))
    let many = JSONObject((0..<40).map { ("k\($0)", JSONValue($0)) } + [("\u{E9}", 1), ("e\u{301}", 2)])
    #expect(many["\u{E9}"] == 1 && many["e\u{301}"] == 2 && many.count == 42)
  }

  @Test("what is not UTF-8 is refused, exactly where the standard library refuses it")
  func encoding() {
    var stream = RandomStream(seed: 1, name: "utf8")
    let leads: [UInt8] = [
      0x41, 0x80, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF3, 0xF4, 0xF5, 0x9F, 0xA0, 0x8F, 0x90,
    ]
    var refused = 0
    for _ in 0..<20_000 {
      let inner = (0..<1 + stream.below(5)).map { _ in leads[stream.below(leads.count)] }
      let isValid = String(validating: inner, as: UTF8.self) != nil
      let parsed = try? JSONValue.parse([0x22] + inner + [0x22])
      if (parsed != nil) != isValid { Issue.record("\(inner): valid is \(isValid)") }
      if let parsed, Array(parsed.stringValue!.utf8) != inner { Issue.record("\(inner) came back changed") }
      refused += isValid ? 0 : 1
    }
    #expect(refused > 1000 && refused < 20_000)
  }

  @Test("damaged texts give a value that survives a round trip, or a diagnostic with a line")
  func fuzz() throws {
    let text = """
      {"name": "café \\ud83d\\ude00\\n", "n": [1, -2.5e-3, 0, 18446744073709551616],
       "o": {"t": true, "f": false, "z": null}}
      """
    let original = Array(text.utf8)
    var accepted = 0
    for bytes in Mutations(of: original, count: 20_000, dictionary: ["\\u", "\\ud800", "e9", "-", "null", "[[", "\":"])
    {
      do {
        let value = try JSONValue.parse(bytes)
        accepted += 1
        for pretty in [false, true] where try JSONValue.parse(value.serialized(pretty: pretty)) != value {
          Issue.record("\(value) does not survive")
        }
      } catch let diagnostic as Diagnostic {
        if diagnostic.line == nil || diagnostic.category != .input { Issue.record("\(diagnostic)") }
      }
    }
    #expect(accepted > 500)
  }
}
