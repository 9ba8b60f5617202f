extension Filter {
  /// Filters of strings.
  static let text: [Filter] = [
    asMethod("upper"), asMethod("lower"), asMethod("capitalize"),
    Filter("title") { value, _, interpreter in .text(titled(try interpreter.string(value))) },
    Filter("string") { value, _, interpreter in .text(try interpreter.string(value)) },
    Filter("safe") { value, _, interpreter in .text(Markup.marked(try interpreter.string(value))) },
    asMethod("trim", "strip", ["chars"]),
    Filter("replace", ["old", "new", "count"], required: 2) { value, arguments, interpreter in
      let count = arguments[2] ?? .none
      let limit = count.isNone ? -1 : try interpreter.integer(count, -1, "count")
      return try interpreter.replaced(
        Markup.plain(interpreter.string(value)), interpreter.string(arguments[0] ?? .none),
        interpreter.string(arguments[1] ?? .none), limit)
    },
    Filter("center", ["width"]) { value, arguments, interpreter in
      let text = try interpreter.string(value)
      let padded = try interpreter.padded(text, to: interpreter.integer(arguments[0], 80, "width"), with: " ", .center)
      return text.isMarkup ? Markup.marked(padded) : padded
    },
    Filter("indent", ["width", "first", "blank"], indented),
    Filter("truncate", ["length", "killwords", "end", "leeway"], truncated),
    Filter("wordcount") { value, _, interpreter in
      var count = 0
      var isInWord = false
      for scalar in try interpreter.string(value).scalars {
        let isWord = scalar == "_" || scalar.isPythonAlphanumeric
        if isWord && !isInWord { count += 1 }
        isInWord = isWord
      }
      return .integer(count)
    },
    Filter("escape") { value, _, interpreter in .text(try Markup.escaped(interpreter.string(value), interpreter)) },
    Filter("forceescape") { value, _, interpreter in
      .text(try Markup.escaped(Markup.plain(interpreter.string(value)), interpreter))
    },
    Filter("striptags") { value, _, interpreter in .text(withoutTags(try interpreter.string(value))) },
    Filter("urlencode", [], urlencoded),
    Filter(variadic: "format") { value, arguments, interpreter in
      guard arguments.positional.isEmpty || arguments.named.isEmpty else {
        throw JinjaFault("can't handle positional and keyword arguments at the same time")
      }
      var values = Value.tuple(arguments.positional)
      if !arguments.named.isEmpty {
        let dictionary = DictionaryValue()
        for (name, value) in arguments.named { dictionary.set(name, value) }
        values = .dictionary(dictionary)
      }
      return try interpreter.arithmetic(.modulo, .text(interpreter.string(value)), values)
    },
  ]

  /// A filter that is a method of the value's text.
  private static func asMethod(_ name: String, _ method: String? = nil, _ parameters: [String] = []) -> Filter {
    Filter(name, parameters) { value, arguments, interpreter in
      let given = Arguments(positional: arguments.compactMap { $0 })
      guard let method = Method.ofText[Text(method ?? name)] else { return value }
      return try method.apply(to: .text(interpreter.string(value)), given, interpreter)
    }
  }

  /// Jinja's own title case: words begin behind white space, a hyphen or an opening bracket.
  private static func titled(_ text: Text) -> Text {
    var result = Text([])
    var word: [Unicode.Scalar] = []
    func finish() {
      guard let first = word.first else { return }
      let rest = word.dropFirst().reduce(into: Text([])) { $0.bytes += UTF8.encode($1)! }
      result.bytes += Text(first).uppercased.bytes + rest.lowercased.bytes
      word = []
    }
    let brackets: Set<Unicode.Scalar> = ["-", "(", "{", "[", "<"]
    for scalar in text.scalars {
      if scalar.isPythonSpace || brackets.contains(scalar) {
        finish()
        result.bytes += UTF8.encode(scalar)!
      } else {
        word.append(scalar)
      }
    }
    finish()
    return result
  }

  @Sendable private static func indented(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    guard case .text(let text) = value else {
      try interpreter.refuseUndefined(value)
      throw JinjaFault("the filter 'indent' takes a string, not \(value.typeName)")
    }
    let indention: Text
    if case .text(let given) = arguments[0] ?? .none {
      indention = given
    } else {
      let width = try max(0, interpreter.integer(arguments[0], 4, "width"))
      try interpreter.meter.text(bytes: width)
      indention = Text([UInt8](repeating: 0x20, count: width))
    }
    let indentsBlank = arguments[2]?.isTrue ?? false
    let lines = (text + "\n").lines()
    try interpreter.meter.elements(lines.count)
    try interpreter.meter.text(bytes: text.bytes.count + Text.product(lines.count, indention.bytes.count))
    var bytes: [UInt8] = arguments[1]?.isTrue ?? false ? indention.bytes : []
    for (index, line) in lines.enumerated() {
      if index > 0 {
        bytes.append(0x0A)
        if indentsBlank || !line.isEmpty { bytes += indention.bytes }
      }
      bytes += line.bytes
    }
    return .text(Text(bytes).marked(like: text))
  }

  @Sendable private static func truncated(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    guard case .text(let text) = value else {
      try interpreter.refuseUndefined(value)
      throw JinjaFault("the filter 'truncate' takes a string, not \(value.typeName)")
    }
    let length = try interpreter.integer(arguments[0], 255, "length")
    guard case .text(let end) = arguments[2] ?? .text("...") else { throw JinjaFault("'end' must be a string") }
    let leeway = arguments[3].flatMap { $0.isNone ? nil : $0 }
    let tolerance = try interpreter.integer(leeway, 5, "leeway")
    guard length >= end.count else { throw JinjaFault("expected length >= \(end.count), got \(length)") }
    guard tolerance >= 0 else { throw JinjaFault("expected leeway >= 0, got \(tolerance)") }
    guard text.count > length, text.count - length > tolerance else { return value }
    let start = text.part(0..<(length - end.count))
    let kept = arguments[1]?.isTrue ?? false ? start : start.parts(by: " ", limit: 1, fromRight: true).first ?? start
    return try interpreter.arithmetic(.add, .text(kept.marked(like: text)), .text(end))
  }

  /// The text without comments and tags, its white space as single spaces, the common entities resolved.
  private static func withoutTags(_ text: Text) -> Text {
    func removing(_ text: Text, from opening: Text, to closing: Text) -> Text {
      var bytes: [UInt8] = []
      var start = 0
      while let open = text.find(opening, from: start), let close = text.find(closing, from: open) {
        bytes += text.bytes[start..<open]
        start = close + closing.bytes.count
      }
      return Text(bytes + text.bytes[start...])
    }
    let plain = removing(removing(text, from: "<!--", to: "-->"), from: "<", to: ">")
    var result = Text(Array(plain.words(limit: .max).map(\.bytes).joined(separator: [0x20])))
    for (entity, character) in [
      ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&"),
    ] { result = result.replacing(Text(entity), with: Text(character), limit: .max) { _ in } }
    return result
  }

  @Sendable private static func urlencoded(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    func quoted(_ value: Value, _ isQuery: Bool) throws -> [UInt8] {
      let text = try interpreter.string(value)
      try interpreter.meter.text(bytes: 3 * text.bytes.count)
      return text.bytes.flatMap { byte -> [UInt8] in
        let scalar = Unicode.Scalar(byte)
        let isKept = byte < 0x80 && (scalar.isPythonAlphanumeric || "_.-~".unicodeScalars.contains(scalar))
        if isKept || (byte == UInt8(ascii: "/") && !isQuery) { return [byte] }
        if byte == 0x20, isQuery { return [UInt8(ascii: "+")] }
        return Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))".utf8)
      }
    }
    let pairs: Value
    switch value {
    case .text, .none, .bool, .integer, .double, .object: return .text(Text(try quoted(value, false)))
    case .dictionary(let dictionary): pairs = .view(DictionaryView(.items, of: dictionary))
    default: pairs = value
    }
    let parts = try pairs.elements(interpreter.meter).map { pair in
      let sides = try pair.elements(interpreter.meter)
      guard sides.count == 2 else { throw JinjaFault("the filter 'urlencode' takes pairs") }
      return try quoted(sides[0], true) + [UInt8(ascii: "=")] + quoted(sides[1], true)
    }
    return .text(Text(Array(parts.joined(separator: [UInt8(ascii: "&")]))))
  }
}
