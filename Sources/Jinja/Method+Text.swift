extension Method {
  /// A method of strings that gives another string.
  private static func changing(_ name: String, _ change: @escaping @Sendable (Text) -> Text) -> Method {
    Method(name) { owner, _, interpreter in
      guard case .text(let text) = owner else { return owner }
      try interpreter.meter.text(bytes: text.bytes.count)
      return .text(change(text))
    }
  }

  /// A method of strings that says whether something holds.
  private static func asking(_ name: String, _ question: @escaping @Sendable (Text) -> Bool) -> Method {
    Method(name) { owner, _, _ in
      if case .text(let text) = owner { .bool(question(text)) } else { .bool(false) }
    }
  }

  private static func text(_ value: Value?, _ name: String, _ interpreter: Interpreter) throws -> Text {
    guard case .text(let text) = value ?? .none else {
      if let value { try interpreter.refuseUndefined(value) }
      throw JinjaFault("\(name)() takes a string, not \((value ?? .none).typeName)")
    }
    return text
  }

  /// Methods of strings that ask for the kind of their characters, or change their case.
  static let ofTextKinds: [Method] = [
    changing("upper") { $0.uppercased }, changing("lower") { $0.lowercased }, changing("title") { $0.titlecased },
    changing("capitalize") { $0.capitalized }, changing("casefold") { $0.casefolded },
    changing("swapcase") { $0.caseSwapped },
    asking("isalpha") { $0.all(\.isPythonAlphabetic) }, asking("isalnum") { $0.all(\.isPythonAlphanumeric) },
    asking("isdigit") { $0.all(\.isPythonDigit) }, asking("isdecimal") { $0.all(\.isPythonDecimal) },
    asking("isnumeric") { $0.all(\.isPythonNumeric) }, asking("isspace") { $0.all(\.isPythonSpace) },
    asking("isupper") { $0.isUppercase }, asking("islower") { $0.isLowercase }, asking("istitle") { $0.isTitlecase },
    asking("isascii") { $0.isASCII }, asking("isprintable") { $0.scalars.allSatisfy(\.isPythonPrintable) },
  ]

  /// The other methods of strings.
  static let ofTexts: [Method] = [
    Method("strip", ["chars"]) { try stripped($0, $1[0], $2, left: true, right: true) },
    Method("lstrip", ["chars"]) { try stripped($0, $1[0], $2, left: true, right: false) },
    Method("rstrip", ["chars"]) { try stripped($0, $1[0], $2, left: false, right: true) },
    Method("split", ["sep", "maxsplit"]) { try split($0, $1, $2, fromRight: false) },
    Method("rsplit", ["sep", "maxsplit"]) { try split($0, $1, $2, fromRight: true) },
    Method("splitlines", ["keepends"]) { owner, arguments, interpreter in
      let lines = try text(owner, "splitlines", interpreter).lines(keepsEnds: arguments[0]?.isTrue ?? false)
      try interpreter.meter.elements(lines.count)
      return .list(lines.map(Value.text))
    },
    Method("partition", ["sep"], required: 1) { try partitioned($0, $1[0], $2, fromRight: false) },
    Method("rpartition", ["sep"], required: 1) { try partitioned($0, $1[0], $2, fromRight: true) },
    Method("replace", ["old", "new", "count"], required: 2) { owner, arguments, interpreter in
      try interpreter.replaced(
        text(owner, "replace", interpreter), text(arguments[0], "replace", interpreter),
        text(arguments[1], "replace", interpreter), interpreter.integer(arguments[2], -1, "count"))
    },
    Method("join", ["iterable"], required: 1) { owner, arguments, interpreter in
      var parts: [Text] = []
      for element in try (arguments[0] ?? .none).elements(interpreter.meter) {
        parts.append(try text(element, "join", interpreter))
      }
      return .text(try interpreter.joined(parts, text(owner, "join", interpreter)))
    },
    Method("startswith", ["prefix", "start", "end"], required: 1) {
      try bordered($0, "startswith", $1, $2) { $0.hasPrefix($1) }
    },
    Method("endswith", ["suffix", "start", "end"], required: 1) {
      try bordered($0, "endswith", $1, $2) { $0.hasSuffix($1) }
    },
    Method("removeprefix", ["prefix"], required: 1) { owner, arguments, interpreter in
      let own = try text(owner, "removeprefix", interpreter)
      let prefix = try text(arguments[0], "removeprefix", interpreter)
      return .text(own.hasPrefix(prefix) ? Text(own.bytes[prefix.bytes.count...]) : own)
    },
    Method("removesuffix", ["suffix"], required: 1) { owner, arguments, interpreter in
      let own = try text(owner, "removesuffix", interpreter)
      let suffix = try text(arguments[0], "removesuffix", interpreter)
      return .text(own.hasSuffix(suffix) ? Text(own.bytes[..<(own.bytes.count - suffix.bytes.count)]) : own)
    },
    Method("find", ["sub", "start", "end"], required: 1) {
      .integer(try place($0, "find", $1, $2, isLast: false) ?? -1)
    },
    Method("rfind", ["sub", "start", "end"], required: 1) {
      .integer(try place($0, "rfind", $1, $2, isLast: true) ?? -1)
    },
    Method("index", ["sub", "start", "end"], required: 1) { try required(place($0, "index", $1, $2, isLast: false)) },
    Method("rindex", ["sub", "start", "end"], required: 1) { try required(place($0, "rindex", $1, $2, isLast: true)) },
    Method("count", ["sub", "start", "end"], required: 1) { owner, arguments, interpreter in
      let part = try text(arguments[0], "count", interpreter)
      guard let whole = try bounded(owner, "count", arguments, interpreter)?.text else { return .integer(0) }
      return .integer(part.isEmpty ? whole.count + 1 : whole.occurrences(of: part).count)
    },
    Method("ljust", ["width", "fillchar"], required: 1) { try padded($0, $1, $2, .left) },
    Method("rjust", ["width", "fillchar"], required: 1) { try padded($0, $1, $2, .right) },
    Method("center", ["width", "fillchar"], required: 1) { try padded($0, $1, $2, .center) },
    Method("zfill", ["width"], required: 1) { owner, arguments, interpreter in
      let own = try text(owner, "zfill", interpreter)
      let width = try interpreter.integer(arguments[0], 0, "width")
      let hasSign = own.bytes.first == UInt8(ascii: "+") || own.bytes.first == UInt8(ascii: "-")
      let digits = Text(own.bytes[(hasSign ? 1 : 0)...])
      let padded = try interpreter.padded(digits, to: max(0, width) - (hasSign ? 1 : 0), with: "0", .right)
      guard case .text(let filled) = padded else { return padded }
      return .text(Text(hasSign ? [own.bytes[0]] : []) + filled)
    },
    Method("expandtabs", ["tabsize"]) { owner, arguments, interpreter in
      .text(
        try expanded(
          text(owner, "expandtabs", interpreter), interpreter.integer(arguments[0], 8, "tabsize"), interpreter))
    },
    Method(variadic: "format") { owner, arguments, interpreter in
      var writer = BraceFormat(interpreter, arguments)
      return .text(try writer.formatted(text(owner, "format", interpreter)))
    },
    Method("format_map", ["mapping"], required: 1) { owner, arguments, interpreter in
      guard case .dictionary(let dictionary) = arguments[0] ?? .none else {
        throw JinjaFault("format_map() takes a dict")
      }
      let named = zip(dictionary.keys, dictionary.values).compactMap { key, value -> (Text, Value)? in
        if case .text(let name) = key { (name, value) } else { nil }
      }
      var writer = BraceFormat(interpreter, Arguments(named: named.map { (name: $0.0, value: $0.1) }))
      return .text(try writer.formatted(text(owner, "format_map", interpreter)))
    },
  ]

  private static func stripped(
    _ owner: Value, _ characters: Value?, _ interpreter: Interpreter, left: Bool, right: Bool
  ) throws -> Value {
    let own = try text(owner, "strip", interpreter)
    let set = try characters.flatMap { $0.isNone ? nil : try text($0, "strip", interpreter) }
    return .text(own.stripped(left: left, right: right, characters: set))
  }

  private static func split(
    _ owner: Value, _ arguments: [Value?], _ interpreter: Interpreter, fromRight: Bool
  ) throws -> Value {
    let own = try text(owner, "split", interpreter)
    let most = try interpreter.integer(arguments[1], -1, "maxsplit")
    let limit = most < 0 ? Int.max : most
    let parts: [Text]
    if let separator = arguments[0], !separator.isNone {
      let separator = try text(separator, "split", interpreter)
      guard !separator.isEmpty else { throw JinjaFault("empty separator") }
      parts = own.parts(by: separator, limit: limit, fromRight: fromRight)
    } else {
      parts = own.words(limit: limit, fromRight: fromRight)
    }
    try interpreter.meter.elements(2 * parts.count)
    try interpreter.meter.text(bytes: own.bytes.count)
    return .list(parts.map(Value.text))
  }

  private static func partitioned(
    _ owner: Value, _ separator: Value?, _ interpreter: Interpreter, fromRight: Bool
  ) throws -> Value {
    let own = try text(owner, "partition", interpreter)
    let separator = try text(separator, "partition", interpreter)
    guard !separator.isEmpty else { throw JinjaFault("empty separator") }
    let parts = own.parts(by: separator, limit: 1, fromRight: fromRight)
    guard parts.count == 2 else {
      return .tuple(fromRight ? [.text(""), .text(""), owner] : [owner, .text(""), .text("")])
    }
    return .tuple([.text(parts[0]), .text(separator), .text(parts[1])])
  }

  /// The part of a string between positions, and the position that it begins at; nil where they lie beyond each other.
  private static func bounded(
    _ owner: Value, _ name: String, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> (text: Text, start: Int)? {
    let own = try text(owner, name, interpreter)
    let (start, end) = (arguments[1] ?? .none, arguments[2] ?? .none)
    if start.isNone, end.isNone { return (own, 0) }
    let count = own.count
    func bound(_ value: Value, _ fallback: Int) throws -> Int {
      guard !value.isNone else { return fallback }
      let number = try interpreter.integer(value, 0, "start")
      return max(0, number < 0 ? number + count : number)
    }
    let (first, last) = (try bound(start, 0), min(try bound(end, count), count))
    return first <= last ? (own.part(first..<last), first) : nil
  }

  private static func bordered(
    _ owner: Value, _ name: String, _ arguments: [Value?], _ interpreter: Interpreter,
    _ matches: (Text, Text) -> Bool
  ) throws -> Value {
    let candidates: [Text]
    if case .tuple(let list) = arguments[0] ?? .none {
      candidates = try list.elements.map { try text($0, name, interpreter) }
    } else {
      candidates = [try text(arguments[0], name, interpreter)]
    }
    guard let whole = try bounded(owner, name, arguments, interpreter)?.text else { return .bool(false) }
    return .bool(candidates.contains { matches(whole, $0) })
  }

  private static func place(
    _ owner: Value, _ name: String, _ arguments: [Value?], _ interpreter: Interpreter, isLast: Bool
  ) throws -> Int? {
    let part = try text(arguments[0], name, interpreter)
    guard let (whole, start) = try bounded(owner, name, arguments, interpreter) else { return nil }
    let offset = isLast ? whole.findLast(part, to: whole.bytes.count) : whole.find(part)
    return offset.map { start + whole.position(at: $0) }
  }

  private static func required(_ place: Int?) throws -> Value {
    guard let place else { throw JinjaFault("substring not found") }
    return .integer(place)
  }

  private static func padded(
    _ owner: Value, _ arguments: [Value?], _ interpreter: Interpreter, _ alignment: Alignment
  ) throws -> Value {
    let filler = try arguments[1].map { try text($0, "center", interpreter) } ?? " "
    guard filler.count == 1 else { throw JinjaFault("the fill character must be exactly one character long") }
    return try interpreter.padded(
      text(owner, "center", interpreter), to: interpreter.integer(arguments[0], 0, "width"), with: filler, alignment)
  }

  private static func expanded(_ text: Text, _ size: Int, _ interpreter: Interpreter) throws -> Text {
    var bytes: [UInt8] = []
    var column = 0
    for character in text.characters {
      switch character {
      case "\t":
        let width = size > 0 ? size - column % size : 0
        try interpreter.meter.text(bytes: width)
        bytes += [UInt8](repeating: 0x20, count: width)
        column += width
      case "\n", "\r":
        bytes += character.bytes
        column = 0
      default:
        bytes += character.bytes
        column += 1
      }
    }
    try interpreter.meter.text(bytes: bytes.count)
    return Text(bytes)
  }
}

/// Which side of a field a text keeps to.
enum Alignment { case left, right, center }

extension Interpreter {
  /// A text filled up to so many code points.
  func padded(_ text: Text, to width: Int, with filler: Text, _ alignment: Alignment) throws -> Value {
    let missing = width - text.count
    guard missing > 0 else { return .text(text) }
    try meter.text(bytes: text.bytes.count + Text.product(missing, filler.bytes.count))
    // Of an odd number of fillers CPython puts the one left over to the left where the width is odd.
    let left: Int =
      switch alignment {
      case .left: 0
      case .right: missing
      case .center: missing / 2 + (missing & width & 1)
      }
    func fill(_ count: Int) -> [UInt8] { Array(repeatElement(filler.bytes, count: count).joined()) }
    return .text(Text(fill(left) + text.bytes + fill(missing - left)))
  }

  func replaced(_ text: Text, _ old: Text, _ new: Text, _ limit: Int) throws -> Value {
    try meter.work(bytes: text.bytes.count)
    return .text(
      try text.replacing(old, with: new, limit: limit < 0 ? .max : limit) { try meter.text(bytes: $0) })
  }

  func joined(_ parts: [Text], _ separator: Text) throws -> Text {
    let total = parts.reduce(Text.product(max(parts.count - 1, 0), separator.bytes.count)) {
      min($0 + $1.bytes.count, Int.max / 2)
    }
    try meter.text(bytes: total)
    return Text(Array(parts.map(\.bytes).joined(separator: separator.bytes)))
  }
}
