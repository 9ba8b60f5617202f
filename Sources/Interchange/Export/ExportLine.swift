/// A line of JSON in the making: one object whose members are lists of numbers.
struct ExportLine {
  private(set) var bytes: [UInt8] = []

  /// Adds a member whose value `value` appends.
  mutating func member(_ name: String, _ value: (inout ExportLine) -> Void) {
    text(bytes.isEmpty ? "{\"\(name)\":" : ",\"\(name)\":")
    value(&self)
  }

  /// Appends a list, each element by `element`.
  mutating func list<Elements: Sequence>(
    _ elements: Elements, _ element: (inout ExportLine, Elements.Element) -> Void
  ) {
    text("[")
    var isFirst = true
    for each in elements {
      if !isFirst { text(",") }
      isFirst = false
      element(&self, each)
    }
    text("]")
  }

  mutating func ids(_ ids: [Int32]) { list(ids) { $0.text("\($1)") } }

  /// The fewest digits that give the same fp32 numbers back.
  ///
  /// - Precondition: they are finite.
  mutating func numbers(_ numbers: [Float]) { list(numbers) { $0.text("\($1)") } }

  mutating func text(_ text: String) { bytes += text.utf8 }

  /// Ends the object and the line.
  mutating func end() { text(bytes.isEmpty ? "{}\n" : "}\n") }
}
