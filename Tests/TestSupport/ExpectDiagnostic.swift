public import Diagnostics
public import Testing

/// Expects `body` to throw a `Diagnostic` of the given place whose text contains every one of `words`; returns it.
@discardableResult
public func expectDiagnostic(
  _ category: Diagnostic.Category = .input, file: String? = nil, line: Int? = nil, field: String? = nil,
  saying words: String..., sourceLocation: SourceLocation = #_sourceLocation, from body: () throws -> Void
) -> Diagnostic? {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  } catch let diagnostic as Diagnostic {
    var faults: [String] = []
    if diagnostic.category != category { faults.append("category \(diagnostic.category), expected \(category)") }
    if let file, diagnostic.file != file { faults.append("file \(diagnostic.file ?? "nil"), expected \(file)") }
    if let line, diagnostic.line != line { faults.append("line \(diagnostic.line ?? -1), expected \(line)") }
    if let field, diagnostic.field != field { faults.append("field \(diagnostic.field ?? "nil"), expected \(field)") }
    faults += words.filter { !diagnostic.description.contains($0) }.map { "does not say '\($0)'" }
    if !faults.isEmpty {
      Issue.record(
        "\(faults.joined(separator: "; ")) in: \(diagnostic.description)", sourceLocation: sourceLocation)
    }
    return diagnostic
  } catch {
    Issue.record("threw \(error), not a Diagnostic", sourceLocation: sourceLocation)
  }
  return nil
}
