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

  /// The ranges of the rows, without white space at their ends; rows that are nothing else are left out.
  func rows(_ bytes: Span<UInt8>) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    func add(_ range: Range<Int>) {
      var (start, end) = (range.lowerBound, range.upperBound)
      while start < end, Self.isSpace(bytes[start]) { start += 1 }
      while start < end, Self.isSpace(bytes[end - 1]) { end -= 1 }
      if start < end { ranges.append(start..<end) }
    }
    switch self {
    case .file: add(0..<bytes.count)
    case .line: Self.forEachPart(bytes, dividedBy: [0x0A], add)
    case .literal(let text): Self.forEachPart(bytes, dividedBy: Array(text.utf8), add)
    case .blankLine:
      var start = 0
      Self.forEachPart(bytes, dividedBy: [0x0A]) { line in
        guard line.allSatisfy({ Self.isSpace(bytes[$0]) }) else { return }
        add(start..<line.lowerBound)
        start = line.upperBound
      }
      add(start..<bytes.count)
    }
    return ranges
  }

  /// Calls `body` with each range between separators, the ones at the ends included.
  static func forEachPart(_ bytes: Span<UInt8>, dividedBy separator: [UInt8], _ body: (Range<Int>) throws -> Void)
    rethrows
  {
    var start = 0
    var next = 0
    while let found = bytes.firstIndex(of: separator[0], from: next), found + separator.count <= bytes.count {
      if separator.indices.allSatisfy({ bytes[found + $0] == separator[$0] }) {
        try body(start..<found)
        next = found + separator.count
        start = next
      } else {
        next = found + 1
      }
    }
    try body(start..<bytes.count)
  }

  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
