import Diagnostics
import FoundationEssentials
import JSON
import TestSupport
import Testing

/// What Foundation's decoder finds in a text.
private indirect enum Tree: Decodable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([Tree])
  case object([String: Tree])

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    if let keyed = try? decoder.container(keyedBy: Key.self) {
      var members: [String: Tree] = [:]
      for key in keyed.allKeys { members[key.stringValue] = try keyed.decode(Tree.self, forKey: key) }
      self = .object(members)
    } else if var elements = try? decoder.unkeyedContainer() {
      var trees: [Tree] = []
      while !elements.isAtEnd { trees.append(try elements.decode(Tree.self)) }
      self = .array(trees)
    } else {
      let scalar = try decoder.singleValueContainer()
      if scalar.decodeNil() {
        self = .null
      } else if let flag = try? scalar.decode(Bool.self) {
        self = .bool(flag)
      } else if let text = try? scalar.decode(String.self) {
        self = .string(text)
      } else {
        self = .number(try scalar.decode(Double.self))
      }
    }
  }

  static func == (tree: Tree, value: JSONValue) -> Bool {
    switch (tree, value) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.number(let a), .integer), (.number(let a), .double): a == value.doubleValue
    case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy { $0 == $1 }
    case (.object(let a), .object(let b)):
      a.count == b.count && b.entries.allSatisfy { entry in a[entry.key].map { $0 == entry.value } ?? false }
    default: false
    }
  }
}

@Suite("JSON against Foundation")
struct JSONFoundationTests {
  /// Foundation takes the first of two members with one key, and a comma behind the last member of an object.
  @Test("damaged texts are accepted with the same values, or refused by both")
  func differential() throws {
    let texts = [
      #"{"name": "caf\u00e9 \ud83d\ude00\n", "n": [1, -2.5E+3, 0, 18446744073709551616], "o": {"t": true, "z": null}}"#,
      #"[[], {}, "x\\\"y", {"a": {"b": [false, 0.1, "é漢😀"]}}, 1e22]"#,
    ]
    let words = ["\\u", "\\ud800", "e9", "-", "null", "[[", "\":", "\u{7F}", "1e400", "\\\\", "\"", " \n"]
    var accepted = 0, compared = 0
    for (seed, text) in texts.enumerated() {
      for bytes in Mutations(of: Array(text.utf8), count: 10_000, seed: UInt64(seed + 1), dictionary: words) {
        let ours = try? JSONValue.parse(bytes)
        let theirs = try? JSONDecoder().decode(Tree.self, from: Data(bytes))
        let fault = JSONFault.first(in: bytes.span, refusesKeysTwice: true)?.message ?? ""
        if fault.contains("comes twice") || fault.contains("a key in quotation marks, found '}'") { continue }
        compared += 1
        accepted += ours == nil ? 0 : 1
        let agree = if let ours, let theirs { theirs == ours } else { ours == nil && theirs == nil }
        if !agree { Issue.record("\(String(decoding: bytes, as: UTF8.self)): \(ours as Any), \(theirs as Any)") }
      }
    }
    #expect(accepted > 500 && compared > 19_000)
  }
}
