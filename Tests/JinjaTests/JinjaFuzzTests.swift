import Files
import JSON
import Jinja
import TestSupport
import Testing

/// Templates of models, damaged, with conversations through what is still a template; a process of their own in
/// `make faults` too.
@Suite("Mutations of chat templates", .serialized, .timeLimit(.minutes(30))) struct JinjaFuzzTests {
  private static let golden = "\(SharedData.packageRoot)/Tests/JinjaTests/Golden"

  @Test("a template, and conversations through it") func template() throws {
    let names = try File.list("\(Self.golden)/templates").filter { $0.hasSuffix(".jinja") }
    let models = try names.map { try File.read("\(Self.golden)/templates/\($0)") }
    // The small ones have every construct, ten of them at a time.
    let rows = String(decoding: try File.read("\(Self.golden)/cases.jsonl"), as: UTF8.self).split(separator: "\n")
    let snippets = try rows.dropFirst().compactMap { line -> String? in
      let row = try JSONValue.parse(String(line))
      return row["text"]?.isNull ?? true ? nil : row["template"]?.stringValue
    }
    let mixed = stride(from: 0, to: snippets.count, by: 10).map { start in
      Array(snippets[start..<min(start + 10, snippets.count)].joined(separator: "\n").utf8)
    }
    let first = String(decoding: try File.read("\(Self.golden)/chats.jsonl").prefix { $0 != 0x0A }, as: UTF8.self)
    let chats = try JSONField(JSONValue.parse(first)).members().filter { $0.key != "long" }.map {
      try $0.field.object()
    }
    let conversations = [try JSONField(JSONValue.parse(String(rows[0]))).object()] + chats
    let words = [
      "{% for a in messages %}", "{% endfor %}", "{%- if tools %}", "{% else %}", "{% endif %}", "{{", "}}", "{#",
      "{% set ns.a = ", "namespace(a=ns)", "messages", " | map('upper')", " | list", "[::-1]", " * 99999999", " ** 9",
      "{% macro m() %}{{ m() }}{% endmacro %}", "{% call m() %}", "| tojson(indent=9)", "range(99999)", ".format(",
      "{% raw %}", "loop.", " % ", "'{:9999999}'", "\\u00e9", "-", "é", "{% generation %}", "{% endgeneration %}",
    ]
    var limits = JinjaTemplate.Limits()
    limits.steps = 100_000
    limits.textBytes = 1 << 20
    limits.memoryBytes = 8 << 20
    limits.outputBytes = 1 << 20
    let date = try #require(CalendarTime("2026-01-31"))
    Fuzz.run("chat template", models + mixed, .text(dictionary: words)) { bytes, number in
      let template = try JinjaTemplate(String(decoding: bytes, as: UTF8.self), file: "fuzz.jinja")
      let rendering = try template.render(conversations[number % conversations.count], now: date, limits: limits)
      #expect(rendering.text.utf8.count <= limits.outputBytes)
    }
  }
}
