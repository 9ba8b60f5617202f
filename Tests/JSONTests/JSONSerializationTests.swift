import JSON
import RandomStreams
import TestSupport
import Testing

@Suite("JSON serialization")
struct JSONSerializationTests {
  let value: JSONValue = ["b": [1, 2.5, nil], "a": ["x": "q\"\\\n\u{1}\u{1F}é"], "e": [], "o": [:], "t": true]

  @Test("compact text has no white space and keeps the order")
  func compact() {
    #expect(value.text() == #"{"b":[1,2.5,null],"a":{"x":"q\"\\\n\u0001\u001fé"},"e":[],"o":{},"t":true}"#)
  }

  @Test("pretty text is indented by two spaces")
  func pretty() {
    let expected = """
      {
        "b": [
          1,
          2.5,
          null
        ],
        "a": {
          "x": "q\\"\\\\\\n\\u0001\\u001fé"
        },
        "e": [],
        "o": {},
        "t": true
      }
      """
    #expect(value.text(pretty: true) == expected)
  }

  @Test("doubles come back bit for bit, and stay doubles")
  func doubles() throws {
    var stream = RandomStream(seed: 2, name: "doubles")
    let edges: [Double] = [0, -0.0, 1, 1e16, 1e-5, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1, -1 / 3]
    for number in edges + (0..<20_000).map({ _ in Double(bitPattern: stream.next()) }) where number.isFinite {
      let text = JSONValue.double(number).text()
      guard case .double(let back) = try JSONValue.parse(text), back.bitPattern == number.bitPattern else {
        Issue.record("\(number) was written as \(text)")
        continue
      }
    }
    #expect(JSONValue.double(0.1).text() == "0.1")
  }

  @Test("a double that is no number becomes null only by choice")
  func nonFinite() async {
    #expect(JSONValue.array([.double(.nan), .double(-.infinity)]).text(nonFinite: .null) == "[null,null]")
    await #expect(processExitsWith: .failure) { _ = JSONValue.double(.infinity).serialized() }
  }
}
