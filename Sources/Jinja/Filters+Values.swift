extension Filter {
  /// Filters of numbers and of any value.
  static let values: [Filter] = [
    Filter("default", ["default_value", "boolean"]) { value, arguments, _ in
      let isReplaced = value.isUndefined || (arguments[1]?.isTrue ?? false) && !value.isTrue
      return isReplaced ? arguments[0] ?? .text(Text([])) : value
    },
    Filter("attr", ["name"], required: 1) { value, arguments, interpreter in
      guard case .text(let name) = arguments[0] ?? .none else { throw JinjaFault("attribute name must be string") }
      return try interpreter.ownAttribute(name, of: value)
        ?? .undefined(Undefined(attribute: .text(name), of: value))
    },
    Filter("abs") { value, _, interpreter in
      if let number = value.integer {
        return number < 0 ? try interpreter.sign(value, isNegative: true) : .integer(number)
      }
      if case .double(let number) = value { return .double(number.magnitude) }
      try interpreter.refuseUndefined(value)
      throw JinjaFault("bad operand type for abs(): '\(value.typeName)'")
    },
    Filter("int", ["default", "base"]) { value, arguments, interpreter in
      let base = try interpreter.integer(arguments[1], 10, "base")
      try interpreter.refuseUndefined(value)
      return try Numbers.integer(value, base: base) ?? arguments[0] ?? .integer(0)
    },
    Filter("float", ["default"]) { value, arguments, interpreter in
      try interpreter.refuseUndefined(value)
      return Numbers.double(value).map(Value.double) ?? arguments[0] ?? .double(0)
    },
    Filter("round", ["precision", "method"], rounded),
    Filter("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"]) { value, arguments, interpreter in
      var writer = JSONText(interpreter, try jsonOptions(arguments, interpreter))
      try writer.append(value)
      try interpreter.meter.text(bytes: writer.bytes.count)
      return .text(Text(writer.bytes))
    },
  ]

  private static func jsonOptions(
    _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> JSONText.Options {
    var indent: Text?
    switch arguments[1] ?? .none {
    case .none: break
    case .text(let text): indent = text
    case let value:
      let width = try max(0, interpreter.integer(value, 0, "indent"))
      try interpreter.meter.text(bytes: width)
      indent = Text([UInt8](repeating: 0x20, count: width))
    }
    var options = JSONText.Options(
      escapesBeyondASCII: arguments[0]?.isTrue ?? false, indent: indent,
      itemSeparator: indent == nil ? ", " : ",", keySeparator: ": ", sortsKeys: arguments[3]?.isTrue ?? false)
    if let separators = arguments[2], !separators.isNone {
      let pair = try separators.elements(interpreter.meter)
      guard pair.count == 2, case .text(let item) = pair[0], case .text(let key) = pair[1] else {
        throw JinjaFault("'separators' must be two strings")
      }
      options.itemSeparator = item
      options.keySeparator = key
    }
    return options
  }

  @Sendable private static func rounded(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    let precision = try interpreter.integer(arguments[0], 0, "precision")
    guard let number = value.number else {
      try interpreter.refuseUndefined(value)
      throw JinjaFault("type \(value.typeName) doesn't define __round__ method")
    }
    switch try interpreter.string(arguments[1] ?? .text("common")).string {
    case "common":
      if let integer = value.integer { return .integer(Numbers.rounded(integer, precision)) }
      return .double(Numbers.rounded(number, precision))
    case "ceil": return try Numbers.directed(value, precision, .up, interpreter)
    case "floor": return try Numbers.directed(value, precision, .down, interpreter)
    default: throw JinjaFault("method must be common, ceil or floor")
    }
  }
}
