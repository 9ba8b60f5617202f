import Diagnostics
import JSON
import Jinja
import TestSupport
import Testing

@Suite("Chat templates are programs that are not trusted") struct JinjaLimitsTests {
  private static let date = CalendarTime(year: 2026, month: 1, day: 31)!

  private static func render(
    _ source: String, _ variables: JSONObject = [:], _ limits: JinjaTemplate.Limits = .init()
  ) throws -> String {
    try JinjaTemplate(source, file: "chat.jinja").render(variables, now: date, limits: limits).text
  }

  private static let nines = "{% for a in range(99999) %}{% for b in range(99999) %}"
  private static let double =
    "{% set ns = namespace(v=START) %}{% for i in range(200) %}{% set ns.v = NEXT %}{% endfor %}"

  private static func doubling(_ start: String, _ next: String, _ name: String = "ns") -> String {
    double.replacing("START", with: start).replacing("NEXT", with: next).replacing("ns.", with: "\(name).").replacing(
      "set ns ", with: "set \(name) ")
  }

  /// As the usual ones, smaller: each test takes a moment.
  private static var small: JinjaTemplate.Limits {
    var limits = JinjaTemplate.Limits()
    limits.steps = 500_000
    limits.memoryBytes = 16 << 20
    limits.textBytes = 4 << 20
    limits.outputBytes = 4 << 20
    return limits
  }

  @Test(
    "a template that never ends, or grows beyond all bounds, is stopped, and the bound and the line are named",
    arguments: [
      ("\n\(nines){% endfor %}{% endfor %}", "500000 steps", 2),
      (nines + "{% set x = a * b + a %}{% endfor %}{% endfor %}", "500000 steps", 1),
      (nines + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}{% endfor %}", "", 1),
      ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}", "600 inside of each other", 1),
      (doubling("'ab'", "ns.v ~ ns.v"), "bytes", 1), (doubling("'ab'", "ns.v + ns.v"), "bytes", 1),
      (doubling("'ab'", "ns.v * 2"), "bytes", 1), (doubling("'ab'", "ns.v.replace('b', 'bb')"), "", 1),
      (doubling("[1]", "ns.v + ns.v"), "bytes", 1), (doubling("[1]", "[ns.v, ns.v]") + "{{ ns.v }}", "", 1),
      (doubling("[1]", "[ns.v, ns.v]") + "{{ ns.v | tojson }}", "", 1),
      (doubling("[1]", "[ns.v, ns.v]") + doubling("[1]", "[ns.v, ns.v]", "w") + "{{ ns.v == w.v }}", "steps", 1),
      (doubling("(1,)", "(ns.v, ns.v)") + "{{ {ns.v: 1} }}", "steps", 1),
      ("{{ 'a' * 1000000000000 }}", "one string", 1), ("{{ [1] * 1000000000000 }}", "bytes", 1),
      ("{{ 'a'.center(1000000000000) }}", "one string", 1), ("{{ 'a' | indent(1000000000000) }}", "one string", 1),
      ("{{ '%1000000000d' % 1 }}", "one string", 1), ("{{ '%.1000000000f' % 1 }}", "one string", 1),
      ("{{ '{:1000000000}'.format(1) }}", "one string", 1), ("{{ 'a'.zfill(1000000000000) }}", "one string", 1),
      ("{{ 'a\tb'.expandtabs(1000000000000) }}", "one string", 1), ("{{ range(10 ** 18) }}", "range too big", 1),
      ("{{ [1] | batch(1000000000000, 0) | list }}", "bytes", 1),
      ("{{ [1] | slice(1000000000000) | list }}", "bytes", 1),
      ("{{ range(99999) | join('a' * 100000) }}", "one string", 1),
      ("{% set x = 'a' * 100000 %}{{ x.replace('a', x) }}", "one string", 1),
      ("{% set ns = namespace(v=0) %}{% for i in range(9999) %}{% set ns.v = [ns.v] %}{% endfor %}", "600 inside", 1),
      (
        "{% set ns = namespace(v=[]) %}{% for i in range(9999) %}{% set ns.v = ns.v | map('int') %}{% endfor %}", "600",
        1
      ),
    ] as [(String, String, Int)])
  func bounds(source: String, words: String, line: Int) throws {
    let fault = #expect(throws: Diagnostic.self) { try Self.render(source, [:], Self.small) }
    #expect(fault?.category == .input)
    #expect(fault?.message.contains(words) ?? false, "\(fault.map(\.description) ?? "")")
    #expect(fault?.file == "chat.jinja" && fault?.line == line, "\(fault.map(\.description) ?? "")")
  }

  @Test(
    "nesting is bounded where a template is parsed",
    arguments: [
      ("{{ ", "(", "1", ")", " }}"), ("{{ ", "[", "", "]", " }}"), ("{{ ", "-", "1", "", " }}"),
      ("{{ ", "not ", "1", "", " }}"), ("{{ 1", " + 1", "", "", " }}"), ("{{ a", ".b", "", "", " }}"),
      ("{{ a", "[0]", "", "", " }}"), ("{{ a", "|upper", "", "", " }}"), ("{{ a", "()", "", "", " }}"),
      ("", "{% if a %}", "", "{% endif %}", ""), ("", "{% for a in b %}", "", "{% endfor %}", ""),
      ("{{ ", "1 if 1 else ", "1", "", " }}"), ("{{ 1", " if 1", "", "", " }}"), ("{{ a", "(b", "", ")", " }}"),
      ("{% set ", "(", "a", ",)", " = 1 %}"), ("{{ 1", " and 1", "", "", " }}"), ("{{ {1: ", "{1: ", "1", "}", "} }}"),
    ] as [(String, String, String, String, String)])
  func depth(start: String, opening: String, middle: String, closing: String, end: String) {
    func source(_ count: Int) -> String {
      start + String(repeating: opening, count: count) + middle + String(repeating: closing, count: count) + end
    }
    let fault = #expect(throws: Diagnostic.self) { try JinjaTemplate(source(50_000)) }
    #expect(fault?.message.contains("200 levels deep") ?? false)
    #expect(throws: Never.self) { try JinjaTemplate(source(60)) }
  }

  @Test("the usual limits stop an endless template soon") func time() {
    let start = ContinuousClock.now
    #expect(throws: Diagnostic.self) { try Self.render(Self.nines + "{% set x = a + b %}{% endfor %}{% endfor %}") }
    // About a second by itself.
    #expect(ContinuousClock.now - start < .seconds(30))
  }

  @Test("namespaces and macros that refer to one another are let go") func cycles() throws {
    let source = """
      {% set ns = namespace() %}{% set ns.self = ns %}{% macro m() %}{{ m }}{% endmacro %}{% set ns.m = m -%}
      {% for i in range(20000) %}{% set ns.head = namespace(next=ns.head) %}{% endfor %}{{ m() }}
      """
    #expect(try Self.render(source) == "<Macro 'm'>")
  }

  @Test("a conversation of megabytes is within the limits") func long() throws {
    let message: JSONValue = ["role": "user", "content": .string(String(repeating: "Wörter und ", count: 500))]
    let variables: JSONObject = ["messages": .array(Array(repeating: message, count: 1000))]
    let source = """
      {% set ns = namespace(out='') %}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m.content | trim + '\\n' }}\
      {% if loop.index < 50 %}{% set ns.out = ns.out + m.content %}{% endif %}{% endfor %}{{ ns.out | length }}
      """
    #expect(try Self.render(source, variables).utf8.count > 5_000_000)
  }

  @Test("one template is rendered by many threads at a time") func threads() async throws {
    let template = try JinjaTemplate(
      "{% set ns = namespace(n=0) %}{% for i in range(n) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}")
    await withTaskGroup(of: Bool.self) { group in
      for n in 0..<64 {
        group.addTask {
          (try? template.render(["n": JSONValue(n)], now: Self.date).text) == "\(n * (n - 1) / 2)"
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }
}
