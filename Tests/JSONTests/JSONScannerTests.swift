import JSON
import TestSupport
import Testing

@Suite("JSON scanner")
struct JSONScannerTests {
  @Test("a known shape is pulled without a tree")
  func pull() throws {
    let text = Array(#"{"skip": [{"a": [1, "]"]}], "vocab": {"\u0061b": 3, "c": 4}, "list": [["x", "y"], []]}"#.utf8)
    var scanner = try JSONScanner(text.span, file: "t.json")
    var key: [UInt8] = []
    var arena: [UInt8] = []
    var numbers: [Int] = []
    var lists: [[String]] = []
    try scanner.beginObject()
    while scanner.nextKey(&key) {
      switch String(decoding: key, as: UTF8.self) {
      case "vocab":
        try scanner.beginObject()
        while scanner.nextKey(appendingTo: &arena) { numbers.append(try scanner.readInteger()) }
      case "list":
        try scanner.beginArray()
        while scanner.nextElement() {
          lists.append([])
          try scanner.beginArray()
          while scanner.nextElement() { lists[lists.count - 1].append(try scanner.readString()) }
        }
      default: scanner.skipValue()
      }
    }
    scanner.finish()
    #expect(String(decoding: arena, as: UTF8.self) == "abc" && numbers == [3, 4] && lists == [["x", "y"], []])
  }

  @Test("an unexpected shape is a diagnostic with its line")
  func mismatch() {
    expectDiagnostic(file: "t.json", line: 2, saying: "expected an integer") {
      let text = Array("{\"a\":\n 1.5}".utf8)
      var scanner = try JSONScanner(text.span, file: "t.json")
      var key: [UInt8] = []
      try scanner.beginObject()
      while scanner.nextKey(&key) { _ = try scanner.readInteger() }
    }
    expectDiagnostic(line: 1, saying: "expected an object, found '['") {
      let text = Array("[]".utf8)
      var scanner = try JSONScanner(text.span)
      try scanner.beginObject()
    }
  }
}
