import Diagnostics
import JSON
import Jinja
import TestSupport
import Testing

@Suite("Chat templates") struct JinjaTemplateTests {
  @Test("renders a conversation, and says what the assistant wrote") func conversation() throws {
    let template = try JinjaTemplate(
      "{% for m in messages %}<{{ m.role }}>{% generation %}{{ m.content }}{% endgeneration %}\n{% endfor %}")
    let variables: JSONObject = ["messages": [["role": "é", "content": "ü!"], ["role": "b", "content": "c"]]]
    let rendering = try template.render(variables, now: #require(CalendarTime("2026-01-31")))
    #expect(rendering.text == "<é>ü!\n<b>c\n")
    #expect(rendering.generated == [4..<7, 11..<12])
    #expect(template.marksGeneration && !template.usesDate)
  }
}
