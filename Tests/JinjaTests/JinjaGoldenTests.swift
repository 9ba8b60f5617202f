import Diagnostics
import Files
import JSON
import Jinja
import TestSupport
import Testing

/// What transformers renders, for templates small and large; the golden files come from scripts/golden/jinja_cases.py
/// and scripts/golden/chat_templates.py.
@Suite("Chat templates beside transformers") struct JinjaGoldenTests {
  private static let folder = "\(SharedData.packageRoot)/Tests/JinjaTests/Golden"

  private static func rows(_ name: String) throws -> [JSONField] {
    String(decoding: try File.read("\(folder)/\(name)"), as: UTF8.self).split(separator: "\n")
      .map { JSONField(try! JSONValue.parse(String($0))) }
  }

  /// The rendering, or what is said against it.
  private static func outcome(
    _ template: String, _ variables: JSONObject
  ) throws -> Result<JinjaTemplate.Rendering, Diagnostic> {
    do {
      let date = try #require(CalendarTime("2026-01-31"))
      return .success(try JinjaTemplate(template).render(variables, now: date))
    } catch let fault as Diagnostic { return .failure(fault) }
  }

  @Test("every construct gives the same text, or fails in both") func constructs() throws {
    let rows = try Self.rows("cases.jsonl")
    let variables = try rows[0].object()
    var wrong: [String] = []
    for row in rows.dropFirst() {
      let template = try row.required("template").string()
      let expected = try row.optional("text")?.string()
      switch try Self.outcome(template, variables) {
      case .success(let rendering):
        if expected.map({ !$0.utf8.elementsEqual(rendering.text.utf8) }) ?? true {
          wrong.append(
            "\(template)\n  gives    \(rendering.text.debugDescription)\n  not      \(expected.debugDescription)")
        }
      case .failure(let fault):
        #expect(fault.category == .input && fault.line != nil, "\(template)")
        if let expected { wrong.append("\(template)\n  fails by \(fault)\n  not      \(expected.debugDescription)") }
      }
    }
    #expect(rows.count > 340)
    #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
  }

  @Test("templates of models render twelve conversations as transformers does") func chats() throws {
    let rows = try Self.rows("chats.jsonl")
    var compared = 0
    for row in rows.dropFirst() {
      let name = try row.required("template").string()
      let source = String(decoding: try File.read("\(Self.folder)/templates/\(name)"), as: UTF8.self)
      for (label, result) in try row.required("results").members() {
        let variables = try rows[0].required(label).object()
        switch try Self.outcome(source, variables) {
        case .failure(let fault): #expect(result.value.isNull, "\(name), \(label): \(fault)")
        case .success(let rendering):
          try Self.check(rendering, result, "\(name), \(label)")
          compared += 1
        }
      }
    }
    #expect(compared > 80)
  }

  private static func check(_ rendering: JinjaTemplate.Rendering, _ result: JSONField, _ title: String) throws {
    guard !result.value.isNull else { return #expect(Bool(false), "\(title): transformers refuses it") }
    if let text = try result.optional("text")?.string() {
      #expect(rendering.text.utf8.elementsEqual(text.utf8), "\(title)")
    }
    let bytes = rendering.text.utf8
    #expect(bytes.count == (try result.required("bytes").value.intValue), "\(title)")
    let hash = bytes.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    #expect(UInt64(try result.required("hash").string(), radix: 16) == hash, "\(title)")
    let generated = try result.required("generated").elements().map { try $0.elements().map(\.value.intValue) }
    #expect(rendering.generated.map { [$0.lowerBound, $0.upperBound] } == generated, "\(title)")
  }
}
