import JSON
import TestSupport
import Testing

@Suite("JSON objects and fields")
struct JSONObjectTests {
  @Test("members keep their order through replacing and removing, in small and large objects", arguments: [4, 100])
  func order(count: Int) {
    var object = JSONObject((0..<count).map { ("k\($0)", JSONValue($0)) })
    object["k1"] = "new"
    object["k0"] = nil
    object["last"] = true
    #expect(object.keys == (1..<count).map { "k\($0)" } + ["last"])
    #expect(object["k1"] == "new" && object["k0"] == nil && object["k\(count - 1)"] == JSONValue(count - 1))
    #expect(object["last"] == true)
  }

  @Test("accessors convert only what is the same number")
  func accessors() {
    #expect(JSONValue.double(4).intValue == 4 && JSONValue.double(4.5).intValue == nil)
    #expect(JSONValue.integer(3).doubleValue == 3 && JSONValue.bool(true).intValue == nil)
    #expect(JSONValue.double(1e30).intValue == nil && JSONValue.string("1").intValue == nil)
  }

  @Test("fields are read with their types")
  func fields() throws {
    let root = JSONField(try .parse(#"{"a": {"b": [1, {"c": "x"}]}, "n": null, "d": 2.5, "f": true}"#), file: "c.json")
    let elements = try root.required("a").required("b").elements()
    #expect(try elements[0].integer(in: 0...5) == 1)
    #expect(try elements[1].required("c").string() == "x")
    #expect(try elements[1].required("c").path == "a.b[1].c")
    #expect(try root.optional("n") == nil && root.optional("absent") == nil)
    #expect(try root.required("d").double() == 2.5 && root.required("f").bool())
    #expect(try root.members().map(\.key) == ["a", "n", "d", "f"])
  }

  @Test(
    "a wrong field is named with file, dotted path and both kinds",
    arguments: [
      ("a.b", "must be an array", { @Sendable in try _ = $0.required("a").required("b").elements() }),
      ("a.missing", "is missing", { @Sendable in try _ = $0.required("a").required("missing") }),
      ("d", "is a number, but must be an integer", { @Sendable in try _ = $0.required("d").integer() }),
      ("i", "is 7, but must be at most 5", { @Sendable in try _ = $0.required("i").integer(in: 0...5) }),
      ("i", "is 7, but must be at least 9", { @Sendable in try _ = $0.required("i").integer(in: 9...20) }),
      (
        "a.b.x", "is null, but must be a string",
        { @Sendable in try _ = $0.required("a").required("b").required("x").string() }
      ),
      ("d", "is a number, but must be an object", { @Sendable in try _ = $0.required("d").required("x") }),
    ] as [(String, String, @Sendable (JSONField) throws -> Void)])
  func wrongField(field: String, saying: String, access: @Sendable (JSONField) throws -> Void) throws {
    let root = JSONField(try .parse(#"{"a": {"b": {"x": null}}, "d": 2.5, "i": 7}"#), file: "c.json")
    expectDiagnostic(file: "c.json", field: field, saying: saying) { try access(root) }
  }
}
