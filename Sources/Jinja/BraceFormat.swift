/// `str.format`: `"{} {name}".format(a, name=b)`.
struct BraceFormat {
  private let interpreter: Interpreter
  private let arguments: Arguments
  private var nextIndex = 0
  private var usesIndices = false

  init(_ interpreter: Interpreter, _ arguments: Arguments) {
    self.interpreter = interpreter
    self.arguments = arguments
  }

  mutating func formatted(_ format: Text, level: Int = 2) throws -> Text {
    guard level > 0 else { throw JinjaFault("Max string recursion exceeded") }
    var result: [UInt8] = []
    let bytes = format.bytes
    var position = 0
    let (open, close) = (UInt8(ascii: "{"), UInt8(ascii: "}"))
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      guard byte == open || byte == close else {
        result.append(byte)
        continue
      }
      if position < bytes.count, bytes[position] == byte {
        result.append(byte)
        position += 1
        continue
      }
      guard byte == open else { throw JinjaFault("Single '}' encountered in format string") }
      let start = position
      var depth = 1
      while position < bytes.count, depth > 0 {
        depth += bytes[position] == open ? 1 : bytes[position] == close ? -1 : 0
        position += 1
      }
      guard depth == 0 else { throw JinjaFault("expected '}' before end of string") }
      result += try field(Text(bytes[start..<(position - 1)]), level).bytes
      try interpreter.meter.text(bytes: result.count)
    }
    return Text(result)
  }

  private mutating func field(_ field: Text, _ level: Int) throws -> Text {
    let sides = field.parts(by: ":", limit: 1)
    let specification = sides.count > 1 ? try formatted(sides[1], level: level - 1) : ""
    let named = sides[0].parts(by: "!", limit: 1)
    let value = try value(named[0])
    if named.count > 1 {
      switch named[1] {
      case "s": return try FormatField(specification).formatted(.text(interpreter.text(value)), interpreter)
      case "r": return try FormatField(specification).formatted(.text(interpreter.representation(value)), interpreter)
      default: throw JinjaFault("Unknown conversion specifier '\(named[1].string)'")
      }
    }
    return try FormatField(specification).formatted(value, interpreter)
  }

  /// The value of a field such as `0.name[key]`.
  private mutating func value(_ path: Text) throws -> Value {
    let end = path.bytes.firstIndex { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "[") } ?? path.bytes.count
    var value = try first(Text(path.bytes[..<end]))
    var rest = path.bytes[end...]
    while let mark = rest.popFirst() {
      if mark == UInt8(ascii: ".") {
        let end = rest.firstIndex { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "[") } ?? rest.endIndex
        guard end > rest.startIndex else { throw JinjaFault("Empty attribute in format string") }
        value = try interpreter.attribute(Text(rest[..<end]), of: value)
        rest = rest[end...]
      } else {
        guard mark == UInt8(ascii: "["), let end = rest.firstIndex(of: UInt8(ascii: "]")), end > rest.startIndex else {
          throw JinjaFault("a field of a format string is not closed")
        }
        let key = Text(rest[..<end])
        let index = key.all(\.isPythonDecimal) ? Int(key.string).map(Value.integer) : nil
        value = try interpreter.element(index ?? .text(key), of: value)
        rest = rest[(end + 1)...]
      }
    }
    return value
  }

  private mutating func first(_ name: Text) throws -> Value {
    var index = name.all(\.isPythonDecimal) ? Int(name.string) : nil
    if index != nil { usesIndices = true }
    if name.isEmpty {
      guard !usesIndices else {
        throw JinjaFault("cannot switch from manual field specification to automatic field numbering")
      }
      index = nextIndex
      nextIndex += 1
    } else if index != nil, nextIndex > 0 {
      throw JinjaFault("cannot switch from automatic field numbering to manual field specification")
    }
    if let index {
      guard index < arguments.positional.count else {
        throw JinjaFault("Replacement index \(index) out of range for positional args tuple")
      }
      return arguments.positional[index]
    }
    guard let value = arguments.named.first(where: { $0.name == name })?.value else {
      throw JinjaFault("the key '\(name.string)' is missing for a format")
    }
    return value
  }
}
