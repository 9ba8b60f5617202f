extension Filter {
  /// Filters that ask something of every element.
  static let selections: [Filter] = [
    Filter(variadic: "map", mapped),
    Filter(variadic: "select") { try selected($0, $1, $2, looksUp: false, wants: true) },
    Filter(variadic: "reject") { try selected($0, $1, $2, looksUp: false, wants: false) },
    Filter(variadic: "selectattr") { try selected($0, $1, $2, looksUp: true, wants: true) },
    Filter(variadic: "rejectattr") { try selected($0, $1, $2, looksUp: true, wants: false) },
  ]

  /// A generator that makes its elements by a function, which is itself made when the first of them is wanted.
  private static func lazily(
    _ value: Value, _ interpreter: Interpreter,
    _ make: @escaping () throws -> (Value) throws -> Value?
  ) -> Value {
    var state: (cursor: Cursor, function: (Value) throws -> Value?)?
    return .generator(
      Generator("generator", over: value) {
        if state == nil {
          guard value.isTrue else { return nil }
          let function = try make()
          state = (try Cursor(value), function)
        }
        while let element = try state?.cursor.next() {
          try interpreter.meter.step()
          if let result = try state?.function(element) { return result }
        }
        return nil
      })
  }

  @Sendable private static func mapped(
    _ value: Value, _ arguments: Arguments, _ interpreter: Interpreter
  ) throws -> Value {
    lazily(value, interpreter) {
      if arguments.positional.isEmpty, let attribute = arguments.named.first(where: { $0.name == "attribute" }) {
        let fallback = arguments.named.first { $0.name == "default" }
        if let unknown = arguments.named.first(where: { $0.name != "attribute" && $0.name != "default" }) {
          throw JinjaFault("Unexpected keyword argument '\(unknown.name.string)'")
        }
        let path = try AttributePath(
          attribute.value, fallback: fallback.flatMap { $0.value.isNone ? nil : $0.value })
        return { try path.value(in: $0, interpreter) }
      }
      guard let first = arguments.positional.first else { throw JinjaFault("map requires a filter argument") }
      let name = try interpreter.string(first).string
      let rest = Arguments(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
      guard let filter = named[name] else { throw JinjaFault("there is no filter '\(name)'") }
      return { try filter.apply(to: $0, rest, interpreter) }
    }
  }

  private static func selected(
    _ value: Value, _ arguments: Arguments, _ interpreter: Interpreter, looksUp: Bool, wants: Bool
  ) throws -> Value {
    lazily(value, interpreter) {
      var rest = arguments
      var path = try AttributePath(.none)
      if looksUp {
        guard let attribute = rest.positional.first else { throw JinjaFault("Missing parameter for attribute name") }
        path = try AttributePath(attribute)
        rest.positional.removeFirst()
      }
      guard let first = rest.positional.first else {
        return { try path.value(in: $0, interpreter).isTrue == wants ? $0 : nil }
      }
      rest.positional.removeFirst()
      let name = try interpreter.string(first).string
      guard let test = ValueTest.named[name] else { throw JinjaFault("there is no test '\(name)'") }
      return { [path, rest] element in
        try test.holds(for: path.value(in: element, interpreter), rest, interpreter) == wants ? element : nil
      }
    }
  }
}
