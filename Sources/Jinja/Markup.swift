/// Strings that are safe for HTML, as `safe` and `escape` mark them. Nothing is escaped when it is written, but a plain
/// string that is added to a marked one is, and what is made of a marked string is marked too.
enum Markup {
  static func marked(_ text: Text) -> Text {
    var text = text
    text.isMarkup = true
    return text
  }

  static func plain(_ text: Text) -> Text {
    var text = text
    text.isMarkup = false
    return text
  }

  /// A string with the characters of HTML escaped, unless it is marked.
  static func escaped(_ text: Text, _ interpreter: Interpreter) throws -> Text {
    if text.isMarkup { return text }
    try interpreter.meter.text(bytes: Text.product(5, text.bytes.count))
    var bytes: [UInt8] = []
    for byte in text.bytes {
      switch byte {
      case UInt8(ascii: "&"): bytes += "&amp;".utf8
      case UInt8(ascii: "<"): bytes += "&lt;".utf8
      case UInt8(ascii: ">"): bytes += "&gt;".utf8
      case UInt8(ascii: "'"): bytes += "&#39;".utf8
      case UInt8(ascii: "\""): bytes += "&#34;".utf8
      default: bytes.append(byte)
      }
    }
    return marked(Text(bytes))
  }

  static func joined(_ parts: [Text], _ interpreter: Interpreter) throws -> Text {
    marked(try interpreter.joined(parts, Text([])))
  }

  /// What a marked string is given to format or to join: all but numbers as escaped text.
  static func escaped(argument: Value, _ interpreter: Interpreter) throws -> Value {
    switch argument {
    case .integer, .double, .bool, .none: argument
    case .tuple(let list): .tuple(try list.elements.map { try escaped(argument: $0, interpreter) })
    case .list(let list): .list(try list.elements.map { try escaped(argument: $0, interpreter) })
    case .dictionary(let dictionary):
      try .dictionary(escaped(dictionary, interpreter))
    default: .text(try escaped(interpreter.text(argument), interpreter))
    }
  }

  private static func escaped(_ dictionary: DictionaryValue, _ interpreter: Interpreter) throws -> DictionaryValue {
    let result = DictionaryValue()
    for (key, value) in zip(dictionary.keys, dictionary.values) {
      try result.set(key, escaped(argument: value, interpreter), interpreter.meter)
    }
    return result
  }

  /// What a method of a marked string gives: its strings marked.
  static func marked(_ value: Value) -> Value {
    switch value {
    case .text(let text): .text(marked(text))
    case .list(let list): .list(list.elements.map(marked))
    case .tuple(let list): .tuple(list.elements.map(marked))
    default: value
    }
  }
}
