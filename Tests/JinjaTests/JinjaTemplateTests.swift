import Diagnostics
import JSON
import Jinja
import TestSupport
import Testing

@Suite("Chat templates") struct JinjaTemplateTests {
  private static let date = CalendarTime(year: 2026, month: 1, day: 31)!

  @Test("renders a conversation, and says what the assistant wrote, in bytes") func conversation() throws {
    let template = try JinjaTemplate(
      "{% for m in messages %}<{{ m.role }}>{% generation %}{{ m.content }}{% endgeneration %}\n{% endfor %}")
    let variables: JSONObject = ["messages": [["role": "é", "content": "ü!"], ["role": "b", "content": "c"]]]
    let rendering = try template.render(variables, now: Self.date)
    #expect(rendering.text == "<é>ü!<b>c")
    #expect(rendering.generated == [4..<7, 10..<11])
    #expect(template.marksGeneration && !template.usesDate)
  }

  @Test("tells the date it is given, and that it asks for it") func date() throws {
    let template = try JinjaTemplate("{{ strftime_now('%d %b %Y') }}")
    #expect(template.usesDate && !template.marksGeneration)
    #expect(try template.render([:], now: Self.date).text == "31 Jan 2026")
  }

  @Test(
    "a date is read from its digits, and only if the calendar has it",
    arguments: [
      ("2026-01-31", true), ("2024-02-29", true), ("2023-02-29", false), ("2026-13-01", false), ("2026-04-31", false),
      ("2026-1-31", false), ("0000-01-01", false), ("2026-01-31T", false), ("２026-01-3", false), ("", false),
    ])
  func dates(text: String, isDate: Bool) { #expect((CalendarTime(text) != nil) == isDate) }

  @Test("what the template says to a conversation that it refuses is told, with its line") func refusal() throws {
    let template = try JinjaTemplate("\n\n{{ raise_exception('Only ' ~ n ~ ' roles') }}", file: "chat.jinja")
    let fault = #expect(throws: Diagnostic.self) { try template.render(["n": 2], now: Self.date) }
    #expect(fault?.message == "the chat template refuses the conversation: Only 2 roles")
    #expect(fault?.file == "chat.jinja" && fault?.line == 3 && fault?.category == .input)
  }

  @Test(
    "what is not supported is refused by its name and line when the template is parsed",
    arguments: [
      ("\n{% include 'a' %}", "the tag 'include'", 2), ("{% import 'a' as b %}", "the tag 'import'", 1),
      ("{% extends 'a' %}", "the tag 'extends'", 1), ("\n\n{% block a %}{% endblock %}", "the tag 'block'", 3),
      ("{% for a in b recursive %}{% endfor %}", "a recursive loop", 1), ("{{ a | urlize }}", "the filter 'urlize'", 1),
      ("{{ a | pprint }}", "the filter 'pprint'", 1), ("{{ self.a }}", "the variable 'self'", 1),
    ])
  func unsupported(source: String, words: String, line: Int) {
    let fault = #expect(throws: Diagnostic.self) { try JinjaTemplate(source, file: "chat.jinja") }
    #expect(fault?.message.contains(words) ?? false)
    #expect(fault?.message.contains("not supported") ?? false)
    #expect(fault?.line == line && fault?.remedy != nil)
  }

  @Test(
    "a fault is told with the line that it is on",
    arguments: [
      ("a\n{{ b c }}", "expected '}}', found 'c'", 2), ("\n{% if a %}\nb\n", "expected '{% elif %}'", 3),
      ("{% foo %}", "'foo' is no tag", 1), ("{{ 'a }}", "a string is not closed", 1),
      ("{#", "a comment is not closed", 1), ("\n\n{{ x.y.z }}", "'x' is undefined", 3),
      ("{% set a = 1 %}\n{{ a +\n 'b' }}", "unsupported operand type(s) for +: 'int' and 'str'", 2),
      ("{{ a | foo }}", "there is no filter 'foo'", 1), ("{{ '\\ud800' }}", "names no character", 1),
      ("{{ 1 }}{{ a.append(1) }}", "access to attribute 'append' of 'list' object is unsafe", 1),
    ])
  func faults(source: String, words: String, line: Int) {
    let fault = #expect(throws: Diagnostic.self) {
      try JinjaTemplate(source, file: "chat.jinja").render(["a": []], now: Self.date)
    }
    #expect(fault?.message.contains(words) ?? false, "\(fault.map(\.description) ?? "")")
    #expect(fault?.line == line, "\(fault.map(\.description) ?? "")")
  }

  @Test("strings are code points, never characters that look the same") func codePoints() throws {
    let variables: JSONObject = ["a": "\u{E9}", "b": "e\u{301}"]
    let source =
      "{{ a == b }} {{ a | length }} {{ b | length }} {{ {a: 1}[b] is defined }} {{ a in b }} {{ b[1] == '\\u0301' }}"
    #expect(try JinjaTemplate(source).render(variables, now: Self.date).text == "False 1 2 False False True")
  }
}
