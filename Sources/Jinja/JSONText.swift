/// Writes values as Python's `json.dumps` does.
struct JSONText {
  struct Options {
    var escapesBeyondASCII = false
    /// What one level is indented by; nil for all on one line.
    var indent: Text?
    var itemSeparator: Text
    var keySeparator: Text
    var sortsKeys = false
  }

  private let interpreter: Interpreter
  private let options: Options
  private(set) var bytes: [UInt8] = []

  init(_ interpreter: Interpreter, _ options: Options) {
    self.interpreter = interpreter
    self.options = options
  }

  mutating func append(_ value: Value, level: Int = 0) throws {
    try interpreter.meter.step()
    guard bytes.count <= interpreter.meter.limits.textBytes else {
      return try interpreter.meter.text(bytes: bytes.count)
    }
    switch value {
    case .none: append("null")
    case .bool(let flag): append(flag ? "true" : "false")
    case .integer(let number): append(number.description)
    case .double(let number): append(Self.text(number))
    case .text(let text): append(text)
    case .list(let list), .tuple(let list): try append(list.elements, level: level)
    case .dictionary(let dictionary): try append(dictionary, level: level)
    default: throw JinjaFault("Object of type \(value.typeName) is not JSON serializable")
    }
  }

  private static func text(_ number: Double) -> String {
    number.isNaN ? "NaN" : number.isInfinite ? (number < 0 ? "-Infinity" : "Infinity") : FloatText.shortest(number)
  }

  private mutating func append(_ elements: [Value], level: Int) throws {
    guard !elements.isEmpty else { return append("[]") }
    append("[")
    for (index, element) in elements.enumerated() {
      if index > 0 { bytes += options.itemSeparator.bytes }
      newLine(level + 1)
      try append(element, level: level + 1)
    }
    newLine(level)
    append("]")
  }

  private mutating func append(_ dictionary: DictionaryValue, level: Int) throws {
    guard dictionary.count > 0 else { return append("{}") }
    append("{")
    var isFirst = true
    for index in try order(dictionary) {
      if !isFirst { bytes += options.itemSeparator.bytes }
      isFirst = false
      newLine(level + 1)
      append(try key(dictionary.keys[index]))
      bytes += options.keySeparator.bytes
      try append(dictionary.values[index], level: level + 1)
    }
    newLine(level)
    append("}")
  }

  private func order(_ dictionary: DictionaryValue) throws -> [Int] {
    guard options.sortsKeys else { return Array(0..<dictionary.count) }
    let keys = dictionary.keys
    return try interpreter.sorted(Array(keys.indices), isReverse: false) { try interpreter.less(keys[$0], keys[$1]) }
  }

  private func key(_ key: Value) throws -> Text {
    switch key {
    case .text(let text): text
    case .none: "null"
    case .bool(let flag): flag ? "true" : "false"
    case .integer(let number): Text(number.description)
    case .double(let number): Text(Self.text(number))
    default: throw JinjaFault("keys must be str, int, float, bool or None, not \(key.typeName)")
    }
  }

  private mutating func newLine(_ level: Int) {
    guard let indent = options.indent else { return }
    bytes.append(0x0A)
    for _ in 0..<level { bytes += indent.bytes }
  }

  private mutating func append(_ text: String) { bytes += text.utf8 }

  /// Appends a string in its quotation marks.
  private mutating func append(_ text: Text) {
    bytes.append(UInt8(ascii: "\""))
    var offset = 0
    while offset < text.bytes.count {
      let byte = text.bytes[offset]
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0x08: append("\\b")
      case 0x09: append("\\t")
      case 0x0A: append("\\n")
      case 0x0C: append("\\f")
      case 0x0D: append("\\r")
      case 0..<0x20: append("\\u" + JinjaQuote.hexadecimal(UInt32(byte), digits: 4))
      case 0x7F where options.escapesBeyondASCII: append("\\u007f")
      case 0x80...0xFF where options.escapesBeyondASCII:
        for unit in UTF16.encode(text.scalar(at: offset))! {
          append("\\u" + JinjaQuote.hexadecimal(UInt32(unit), digits: 4))
        }
        offset += Text.length(byte) - 1
      default: bytes.append(byte)
      }
      offset += 1
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
