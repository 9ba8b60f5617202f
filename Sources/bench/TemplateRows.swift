import Diagnostics
import Files
import Jinja
import JSON

/// Renders chat templates, for `scripts/parity` to compare: each row has a `template`, its `variables` and a `date`, and
/// gives a line with the `text` and what was `generated`, or with the `error`.
struct TemplateRows {
  private let lines: [Substring]

  /// - Throws: a `Diagnostic` where the file cannot be read.
  init(_ path: String) throws {
    lines = String(decoding: try File.read(path), as: UTF8.self).split(separator: "\n")
  }

  /// Prints a line for each row.
  func render() throws {
    var templates: [String: JinjaTemplate] = [:]
    for (index, line) in lines.enumerated() {
      let row = JSONField(try JSONValue.parse(String(line), line: index + 1))
      let source = try row.required("template").string()
      let variables = try row.required("variables").object()
      guard let date = CalendarTime(try row.required("date").string()) else {
        throw try row.required("date").diagnostic("is no date such as 2026-01-31")
      }
      var result = JSONObject()
      do {
        let template = try templates[source] ?? JinjaTemplate(source)
        templates[source] = template
        let clock = ContinuousClock()
        let start = clock.now
        let rendering = try template.render(variables, now: date)
        result["seconds"] = .double((clock.now - start) / .seconds(1))
        result["text"] = .string(rendering.text)
        result["generated"] = .array(
          rendering.generated.map { .array([JSONValue($0.lowerBound), JSONValue($0.upperBound)]) })
      } catch let fault as Diagnostic {
        result["error"] = .string(fault.description)
      }
      print(JSONValue.object(result).text())
    }
  }
}
