import Diagnostics
import JSON

/// What divides a plain text into rows.
public enum TextSeparator: Sendable, Equatable {
  /// Each line is a row.
  case line
  /// Lines that are blank divide the rows.
  case blankLine
  /// The whole file is one row.
  case file
  /// A text such as `<|endoftext|>` divides the rows; it belongs to none.
  case literal(String)

  /// Reads `line`, `blank-line`, `file`, or `literal:TEXT`; nil for anything else.
  public init?(name: String) {
    switch name {
    case "line": self = .line
    case "blank-line": self = .blankLine
    case "file": self = .file
    default:
      guard name.hasPrefix("literal:"), name.utf8.count > 8 else { return nil }
      self = .literal(String(name.dropFirst(8)))
    }
  }

  /// The name it is read from.
  public var name: String {
    switch self {
    case .line: "line"
    case .blankLine: "blank-line"
    case .file: "file"
    case .literal(let text): "literal:\(text)"
    }
  }

  /// The part that begins at a place, from one separator to the next, and where the part after it begins: beyond the end
  /// of the bytes for the last one.
  func part(from start: Int, of bytes: Span<UInt8>) -> (part: Range<Int>, next: Int) {
    let end = bytes.count
    switch self {
    case .file: return (start..<end, end + 1)
    case .line:
      let stop = bytes.firstIndex(of: 0x0A, from: start) ?? end
      return (start..<stop, stop + 1)
    case .literal(let text):
      guard let stop = bytes.firstIndex(of: Array(text.utf8), from: start) else { return (start..<end, end + 1) }
      return (start..<stop, stop + text.utf8.count)
    case .blankLine:
      var line = start
      while line <= end {
        let stop = bytes.firstIndex(of: 0x0A, from: line) ?? end
        if (line..<stop).allSatisfy({ Self.isSpace(bytes[$0]) }) { return (start..<line, stop + 1) }
        line = stop + 1
      }
      return (start..<end, end + 1)
    }
  }

  /// A range without white space at its ends.
  static func trimmed(_ range: Range<Int>, of bytes: Span<UInt8>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, isSpace(bytes[start]) { start += 1 }
    while start < end, isSpace(bytes[end - 1]) { end -= 1 }
    return start..<end
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}

extension TextSeparator: Codable {
  /// Reads a ``name``.
  ///
  /// - Throws: a `Diagnostic` of category `input` where it is none.
  public init(from decoder: any Decoder) throws {
    let name = try decoder.singleValueContainer().decode(String.self)
    guard let separator = TextSeparator(name: name) else {
      throw Diagnostic.input("'\(name)' is no separator", remedy: "use line, blank-line, file or literal:TEXT")
    }
    self = separator
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }
}
