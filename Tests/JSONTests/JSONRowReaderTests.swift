import Diagnostics
import JSON
import TestSupport
import Testing

@Suite("JSON rows")
struct JSONRowReaderTests {
  private func read(_ members: [String], _ row: String) throws -> JSONValue {
    try JSONRowReader(members).read(Array(row.utf8).span, file: "rows.jsonl", line: 7)
  }

  @Test("hold the members that were asked for, in their order")
  func members() throws {
    let row = #"{"a": 1, "b": {"a": [2, {"c": "x\ny"}]}, "\u0063": "é\t", "d": null}"#
    #expect(try read(["c", "b", "none"], row) == ["b": ["a": [2, ["c": "x\ny"]]], "c": "é\t"])
    #expect(try read(["d", "d"], row) == ["d": nil] && read([], row) == [:])
    #expect(try read(["a", "b", "c", "d"], row) == JSONValue.parse(row))
    #expect(try read(["a"], "{}") == [:] && read([""], #"{"": 1}"#) == ["": 1])
  }

  @Test(
    "that are no objects come whole", arguments: ["[1, {\"a\": 2}]", "3", "\"a\\n\"", "null", "-0", "true", " [] "])
  func others(row: String) throws {
    #expect(try read(["b"], row) == JSONValue.parse(row))
  }

  @Test(
    "are refused for what stands in parts that nobody asks for",
    arguments: [
      (#"{"a": 1, "z": [1 2]}"#, "a comma or ], found '2'"), (#"{"a": 1, "z": "\ud800"}"#, "surrogate"),
      (#"{"a": 1, "z": "\x"}"#, "backslash"), (#"{"a": 1, "z": 01}"#, "start with 0"),
      (#"{"z": 1e400, "a": 1}"#, "range"),
      (#"{"a": 1, "z": {"b": 1, "b": 2}}"#, "\"b\" comes twice"), (#"{"z": 1, "a": 1, "z": 2}"#, "\"z\" comes twice"),
      (#"{"a": 1, "z": NaN}"#, "NaN is no JSON value"), (#"{"a": 1, "z": nul}"#, "expected null"),
      ("{\"a\": 1, \"z\": \"\t\"}", "control"), (#"{"a": 1, "z": [}]}"#, "a value"),
      (#"{"a": 1, "z": 2} x"#, "the end"),
      (#"{"a": 1, "z": {"y" 2}}"#, "colon"), (#"{"a": 1, "z": 2,}"#, "a key"),
      (#"{"a": 1, "z": ["x":2]}"#, "a comma or ]"),
    ])
  func refusals(row: String, saying: String) {
    expectDiagnostic(file: "rows.jsonl", line: 7, saying: saying) { _ = try read(["a"], row) }
  }

  @Test("of an array come one by one, with their lines and bytes")
  func elements() throws {
    let text = "\u{FEFF} [\n {\"a\": 1, \"b\": \"]}\\\"\"},\n\n[2] ,3,\"x\\\\\", {}\n]\n"
    let bytes = Array(text.utf8)
    var rows: [JSONValue] = []
    var lines: [Int] = []
    try JSONRowReader(["b"]).readElements(of: bytes.span, file: "rows.json") { row, line, place in
      rows.append(row)
      lines.append(line)
      let whole = try JSONValue.parse(Array(bytes[place]))
      #expect(whole == row || whole["b"] == row["b"] && whole["a"] == 1)
    }
    #expect(rows == [["b": "]}\""], [2], 3, "x\\", [:]] && lines == [2, 4, 4, 4, 4])
    for empty in ["[]", " [ \n] "] {
      try JSONRowReader([]).readElements(of: Array(empty.utf8).span) { _, _, _ in
        Issue.record("\(empty) has an element")
      }
    }
  }

  @Test(
    "of an array that is not one are refused with the line",
    arguments: [
      ("[1,\n2", 2, "a comma or ], found the end"), ("[\n{\"a\":1}{\"b\":2}]", 2, "a comma or ], found '{'"),
      ("[1,]", 1, "a value, found ']'"), ("[\n\nNaN]", 3, "NaN is no JSON value"), ("[1]\n2", 2, "the end of the text"),
      ("[{\"a\":1,\n\"b\":]}]", 2, "a value, found ']'"), ("[,1]", 1, "a value"), ("[\"a\n\"]", 1, "control"),
      ("[", 1, "a value"),
      ("[[" + String(repeating: "[", count: 511) + String(repeating: "]", count: 513), 1, "512 levels"),
      ("{}", 1, "is not one JSON array"), ("[1,\n\u{FEFF}2]", 2, "a value, found byte 0xEF"),
    ])
  func brokenArrays(text: String, line: Int, saying: String) {
    expectDiagnostic(file: "rows.json", line: text == "{}" ? nil : line, saying: saying) {
      try JSONRowReader([]).readElements(of: Array(text.utf8).span, file: "rows.json") { _, _, _ in }
    }
  }
}
