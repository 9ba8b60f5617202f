/// Writes a tree as YAML that reads back as an equal tree.
struct YAMLWriter {
  private var text = ""

  static func text(_ root: ConfigurationNode) -> String {
    var writer = YAMLWriter()
    if let short = short(root) {
      writer.text = short + "\n"
    } else {
      writer.write(root, indent: 0, startsLine: true)
    }
    return writer.text
  }

  /// Writes a mapping or list that is not empty; each entry ends its line.
  ///
  /// - Parameter startsLine: False where the first entry goes on after `- `.
  private mutating func write(_ node: ConfigurationNode, indent: Int, startsLine: Bool) {
    let margin = String(repeating: " ", count: indent)
    var isFirst = !startsLine
    func lead() -> String { defer { isFirst = false }; return isFirst ? "" : margin }
    switch node.value {
    case .scalar: preconditionFailure("a scalar is written on the line of its key")
    case .mapping(let entries):
      for entry in entries {
        text += lead() + Self.scalar(entry.key, isPlain: false) + ":"
        if let short = Self.short(entry.value) {
          text += " \(short)\n"
        } else {
          text += "\n"
          write(entry.value, indent: indent + 2, startsLine: true)
        }
      }
    case .sequence(let elements):
      for element in elements {
        text += lead() + "- "
        if let short = Self.short(element) {
          text += "\(short)\n"
        } else {
          write(element, indent: indent + 2, startsLine: false)
        }
      }
    }
  }

  /// What fits on the line of its key: a scalar, an empty container, a list of a few scalars.
  private static func short(_ node: ConfigurationNode) -> String? {
    switch node.value {
    case .scalar(let text, let isPlain): return node.isNull ? "null" : scalar(text, isPlain: isPlain)
    case .mapping(let entries): return entries.isEmpty ? "{}" : nil
    case .sequence(let elements):
      let words = elements.compactMap { element -> String? in
        guard case .scalar = element.value else { return nil }
        return short(element)
      }
      guard words.count == elements.count else { return nil }
      let line = "[\(words.joined(separator: ", "))]"
      return line.utf8.count <= 80 ? line : nil
    }
  }

  /// A scalar, quoted where it would otherwise be read as something else.
  private static func scalar(_ text: String, isPlain: Bool) -> String {
    if isSafe(text) && (isPlain || !looksTyped(text)) { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      case _
      where scalar.value < 0x20 || (0x7f...0xa0).contains(scalar.value)
        || scalar.value >= 0x2028 && !isPrintable(scalar):
        quoted += escape(scalar)
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x2028, 0x2029, 0xfeff, 0xfffe, 0xffff: false
    default: true
    }
  }

  private static func escape(_ scalar: Unicode.Scalar) -> String {
    let digits = String(scalar.value, radix: 16)
    return "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
  }

  /// Plain words that mean themselves in every context, flow lists included.
  private static func isSafe(_ text: String) -> Bool {
    guard let first = text.utf8.first, let last = text.utf8.last else { return false }
    func isWord(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
      case UInt8(ascii: "0")...UInt8(ascii: "9"): true
      default: "_./+-".utf8.contains(byte)
      }
    }
    guard isWord(first), isWord(last), text != "-", !text.hasPrefix("- "), !text.hasPrefix("---"), text != "..." else {
      return false
    }
    return text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: " ") }
  }

  /// Texts that, unquoted, some reader would take for null, a truth value or a number.
  private static func looksTyped(_ text: String) -> Bool {
    if ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased()) { return true }
    return text.utf8.first.map { "0123456789+-.".utf8.contains($0) } ?? false
      && text.utf8.contains { (48...57).contains($0) }
  }
}
