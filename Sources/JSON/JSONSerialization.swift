extension JSONValue {
  /// What to write for an infinite or undefined double, which JSON cannot express.
  public enum NonFinite: Sendable {
    /// A programmer's mistake: stop.
    case trap
    /// Write `null`.
    case null
  }

  /// The value as JSON text in UTF-8, without a newline at the end.
  ///
  /// Doubles are written with the fewest digits that read back as the same double, always with a point or an exponent;
  /// characters beyond ASCII stand as themselves.
  ///
  /// - Parameter pretty: One member or element a line, indented by two spaces, instead of no white space at all.
  public func serialized(pretty: Bool = false, nonFinite: NonFinite = .trap) -> [UInt8] {
    var writer = JSONWriter(pretty: pretty, nonFinite: nonFinite)
    writer.write(self, depth: 0)
    return writer.bytes
  }

  /// ``serialized(pretty:nonFinite:)`` as text.
  public func text(pretty: Bool = false, nonFinite: NonFinite = .trap) -> String {
    String(decoding: serialized(pretty: pretty, nonFinite: nonFinite), as: UTF8.self)
  }

  /// Appends a string to JSON text, in its quotation marks: for texts of many megabytes, of which no tree is built.
  ///
  /// - Parameter string: UTF-8.
  public static func append(string: Span<UInt8>, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for index in string.indices {
      let byte = string[index]
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0x0A: bytes += Array("\\n".utf8)
      case 0x0D: bytes += Array("\\r".utf8)
      case 0x09: bytes += Array("\\t".utf8)
      case 0..<0x20: bytes += Array("\\u00\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16))".utf8)
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

private struct JSONWriter {
  let pretty: Bool
  let nonFinite: JSONValue.NonFinite
  var bytes: [UInt8] = []

  mutating func write(_ value: JSONValue, depth: Int) {
    switch value {
    case .null: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .integer(let number): append(number.description)
    case .double(let number): write(number)
    case .string(let text): write(text)
    case .array(let elements):
      writeContainer("[", "]", elements, depth: depth) { writer, element in writer.write(element, depth: depth + 1) }
    case .object(let object):
      writeContainer("{", "}", object.entries, depth: depth) { writer, entry in
        writer.write(entry.key)
        writer.append(writer.pretty ? ": " : ":")
        writer.write(entry.value, depth: depth + 1)
      }
    }
  }

  private mutating func writeContainer<Item>(
    _ opening: String, _ closing: String, _ items: [Item], depth: Int, _ body: (inout JSONWriter, Item) -> Void
  ) {
    append(opening)
    for (index, item) in items.enumerated() {
      if index > 0 { append(",") }
      if pretty { newLine(depth + 1) }
      body(&self, item)
    }
    if pretty && !items.isEmpty { newLine(depth) }
    append(closing)
  }

  private mutating func write(_ number: Double) {
    if number.isFinite { return append(number.description) }
    precondition(nonFinite == .null, "JSON cannot express the number \(number)")
    append("null")
  }

  private mutating func write(_ text: String) { JSONValue.append(string: text.utf8.span, to: &bytes) }

  private mutating func newLine(_ depth: Int) {
    bytes.append(0x0A)
    bytes.append(contentsOf: repeatElement(0x20, count: 2 * depth))
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
}
