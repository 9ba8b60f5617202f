/// Writes values as Python's `str` and `repr` do.
struct Representation {
  private let interpreter: Interpreter
  private(set) var bytes: [UInt8] = []

  init(_ interpreter: Interpreter) { self.interpreter = interpreter }

  mutating func append(_ text: String) { bytes += text.utf8 }

  /// Appends `repr` of a value.
  mutating func append(_ value: Value) throws {
    try interpreter.meter.step()
    guard bytes.count <= interpreter.meter.limits.textBytes else {
      return try interpreter.meter.text(bytes: bytes.count)
    }
    switch value {
    case .undefined: append("Undefined")
    case .none: append("None")
    case .bool(let flag): append(flag ? "True" : "False")
    case .integer(let number): append(number.description)
    case .double(let number): append(FloatText.shortest(number))
    case .text(let text):
      if text.isMarkup { append("Markup(") }
      append(quoted: text)
      if text.isMarkup { append(")") }
    case .list(let list): try append("[", list.elements, "]")
    case .tuple(let list): try append("(", list.elements, list.elements.count == 1 ? ",)" : ")")
    case .dictionary(let dictionary): try append(dictionary)
    case .view(let view):
      append(view.kind.rawValue)
      try append("([", Value.view(view).elements(interpreter.meter), "])")
    case .range(let range): append(range)
    case .generator: throw JinjaFault("it prints a generator, which has no text of its own: filter it by 'list'")
    case .object(let object): bytes += try object.description(interpreter).bytes
    }
  }

  private mutating func append(_ opening: String, _ elements: [Value], _ closing: String) throws {
    append(opening)
    for (index, element) in elements.enumerated() {
      if index > 0 { append(", ") }
      try append(element)
    }
    append(closing)
  }

  private mutating func append(_ dictionary: DictionaryValue) throws {
    append("{")
    for index in 0..<dictionary.count {
      if index > 0 { append(", ") }
      try append(dictionary.keys[index])
      append(": ")
      try append(dictionary.values[index])
    }
    append("}")
  }

  private mutating func append(_ range: RangeValue) {
    let stop = range.start + range.count * range.step
    append("range(\(range.start), \(stop)\(range.step == 1 ? "" : ", \(range.step)"))")
  }

  /// Appends a string in quotation marks, with escapes for what cannot be seen.
  private mutating func append(quoted text: Text) {
    let apostrophe = UInt8(ascii: "'")
    let usesDouble = text.bytes.contains(apostrophe) && !text.bytes.contains(UInt8(ascii: "\""))
    let quote = usesDouble ? UInt8(ascii: "\"") : apostrophe
    bytes.append(quote)
    var offset = 0
    while offset < text.bytes.count {
      let byte = text.bytes[offset]
      switch byte {
      case quote, UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0x0A: append("\\n")
      case 0x0D: append("\\r")
      case 0x09: append("\\t")
      case 0..<0x20, 0x7F: append("\\x" + JinjaQuote.hexadecimal(UInt32(byte), digits: 2))
      case 0..<0x80: bytes.append(byte)
      default: append(scalar: text.scalar(at: offset))
      }
      offset += Text.length(byte)
    }
    bytes.append(quote)
  }

  private mutating func append(scalar: Unicode.Scalar) {
    if scalar.isPythonPrintable { return bytes += Array(UTF8.encode(scalar)!) }
    let value = scalar.value
    if value < 0x100 {
      append("\\x" + JinjaQuote.hexadecimal(value, digits: 2))
    } else if value < 0x10000 {
      append("\\u" + JinjaQuote.hexadecimal(value, digits: 4))
    } else {
      append("\\U" + JinjaQuote.hexadecimal(value, digits: 8))
    }
  }
}

extension Interpreter {
  /// `str(value)` of Python.
  func text(_ value: Value) throws -> Text {
    switch value {
    case .text(let text): return text
    case .undefined: return Text([])
    default:
      let text = try representation(value)
      return text
    }
  }

  /// `repr(value)` of Python.
  func representation(_ value: Value) throws -> Text {
    var writer = Representation(self)
    try writer.append(value)
    try meter.text(bytes: writer.bytes.count)
    return Text(writer.bytes)
  }
}
