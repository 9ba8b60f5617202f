extension Filter {
  /// Filters of lists and of what else can be gone through.
  static let sequences: [Filter] = [
    Filter("first") { value, _, interpreter in
      var cursor = try Cursor(value)
      return try cursor.next() ?? .undefined(Undefined("No first item, sequence was empty."))
    },
    Filter("last") { value, _, interpreter in
      if case .generator = value { throw JinjaFault("'generator' object is not reversible") }
      return try value.elements(interpreter.meter).last
        ?? .undefined(Undefined("No last item, sequence was empty."))
    },
    Filter("length") { value, _, _ in
      guard let length = value.length else { throw JinjaFault("object of type '\(value.typeName)' has no len()") }
      return .integer(length)
    },
    Filter("list") { value, _, interpreter in .list(try value.elements(interpreter.meter)) },
    Filter("join", ["d", "attribute"]) { value, arguments, interpreter in
      let separator = try interpreter.string(arguments[0] ?? .text(Text([])))
      let path = try AttributePath(arguments[1] ?? .none)
      var cursor = try Cursor(value)
      var parts: [Text] = []
      while let element = try cursor.next() {
        try interpreter.meter.elements(1)
        parts.append(try interpreter.string(path.value(in: element, interpreter)))
      }
      return .text(try interpreter.joined(parts, separator))
    },
    Filter("reverse") { value, _, interpreter in
      if case .text(let text) = value {
        try interpreter.meter.elements(text.bytes.count)
        return .text(Text(Array(text.characters.reversed().map(\.bytes).joined())).marked(like: text))
      }
      let elements = try value.elements(interpreter.meter)
      if case .generator = value { return .list(elements.reversed()) }
      if case .undefined = value { return .list([]) }
      return generator("list_reverseiterator", over: value, elements.reversed())
    },
    Filter("sort", ["reverse", "case_sensitive", "attribute"], sorted),
    Filter("unique", ["case_sensitive", "attribute"]) { value, arguments, interpreter in
      let path = try AttributePath(arguments[1] ?? .none, ignoresCase: !(arguments[0]?.isTrue ?? false))
      var seen: Set<Key> = []
      var cursor: Cursor?
      return .generator(
        Generator("generator", over: value) {
          var now = try cursor ?? Cursor(value)
          defer { cursor = now }
          while let element = try now.next() {
            try interpreter.meter.step()
            if seen.insert(try Key(path.value(in: element, interpreter), interpreter.meter)).inserted { return element }
          }
          return nil
        })
    },
    Filter("min", ["case_sensitive", "attribute"]) { try extreme($0, $1, $2, isLargest: false) },
    Filter("max", ["case_sensitive", "attribute"]) { try extreme($0, $1, $2, isLargest: true) },
    Filter("sum", ["attribute", "start"]) { value, arguments, interpreter in
      let path = try AttributePath(arguments[0] ?? .none)
      var total = arguments[1] ?? .integer(0)
      if case .text = total { throw JinjaFault("sum() can't sum strings [use ''.join(seq) instead]") }
      var cursor = try Cursor(value)
      while let element = try cursor.next() {
        total = try interpreter.arithmetic(.add, total, path.value(in: element, interpreter))
        try interpreter.meter.check(depth: total.depth)
      }
      return total
    },
    Filter("batch", ["linecount", "fill_with"], required: 1, batched),
    Filter("slice", ["slices", "fill_with"], required: 1, sliced),
    Filter("groupby", ["attribute", "default", "case_sensitive"], required: 1, grouped),
    Filter("dictsort", ["case_sensitive", "by", "reverse"], dictionarySorted),
    Filter("items") { value, _, interpreter in
      if value.isUndefined { return generator("generator", over: value, []) }
      guard case .dictionary(let dictionary) = value else {
        throw JinjaFault("Can only get item pairs from a mapping.")
      }
      return generator(
        "generator", over: value,
        try Value.view(DictionaryView(.items, of: dictionary)).elements(interpreter.meter))
    },
  ]

  /// A generator of elements that are there.
  private static func generator(_ name: String, over value: Value, _ elements: [Value]) -> Value {
    var cursor = Cursor(list: elements)
    return .generator(Generator(name, over: .list(elements)) { try cursor.next() })
  }

  private static func keyed(
    _ elements: [Value], _ paths: [AttributePath], _ interpreter: Interpreter
  ) throws -> [(keys: [Value], element: Value)] {
    try interpreter.meter.elements(elements.count * (paths.count + 1))
    return try elements.map { element in
      (try paths.map { try $0.value(in: element, interpreter) }, element)
    }
  }

  @Sendable private static func sorted(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    let ignoresCase = !(arguments[1]?.isTrue ?? false)
    var paths: [AttributePath] = []
    if case .text(let text) = arguments[2] ?? .none {
      paths = try text.parts(by: ",", limit: .max).map { try AttributePath(.text($0), ignoresCase: ignoresCase) }
    } else {
      paths = [try AttributePath(arguments[2] ?? .none, ignoresCase: ignoresCase)]
    }
    let pairs = try keyed(value.elements(interpreter.meter), paths, interpreter)
    let sorted = try interpreter.sorted(pairs, isReverse: arguments[0]?.isTrue ?? false) { a, b in
      try interpreter.less(.list(a.keys), .list(b.keys))
    }
    return .list(sorted.map(\.element))
  }

  private static func extreme(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter, isLargest: Bool
  ) throws -> Value {
    let path = try AttributePath(arguments[1] ?? .none, ignoresCase: !(arguments[0]?.isTrue ?? false))
    var cursor = try Cursor(value)
    guard var best = try cursor.next() else {
      return .undefined(Undefined("No aggregated item, sequence was empty."))
    }
    var key = try path.value(in: best, interpreter)
    while let element = try cursor.next() {
      let other = try path.value(in: element, interpreter)
      if try isLargest
        ? interpreter.less(key, other, operation: ">") : interpreter.less(other, key)
      {
        (best, key) = (element, other)
      }
    }
    return best
  }

  @Sendable private static func batched(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    let size = try interpreter.integer(arguments[0], 1, "linecount")
    let filler = arguments[1].flatMap { $0.isNone ? nil : $0 }
    var batches: [Value] = []
    var batch: [Value] = []
    for element in try value.elements(interpreter.meter) {
      if batch.count == size {
        batches.append(.list(batch))
        batch = []
      }
      batch.append(element)
    }
    if !batch.isEmpty {
      if let filler, batch.count < size {
        try interpreter.meter.elements(size)
        batch += repeatElement(filler, count: size - batch.count)
      }
      batches.append(.list(batch))
    }
    return generator("generator", over: value, batches)
  }

  @Sendable private static func sliced(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    let elements = try value.elements(interpreter.meter)
    let slices = try interpreter.integer(arguments[0], 1, "slices")
    let filler = arguments[1].flatMap { $0.isNone ? nil : $0 }
    guard slices != 0 else { throw JinjaFault("integer division or modulo by zero") }
    guard slices > 0 else { return generator("generator", over: value, []) }
    try interpreter.meter.elements(slices)
    let (size, extra) = (elements.count / slices, elements.count % slices)
    var result: [Value] = []
    var start = 0
    for index in 0..<slices {
      let end = start + size + (index < extra ? 1 : 0)
      result.append(.list(Array(elements[start..<end]) + (index >= extra ? [filler].compactMap { $0 } : [])))
      start = end
    }
    return generator("generator", over: value, result)
  }

  @Sendable private static func grouped(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    let fallback = arguments[1].flatMap { $0.isNone ? nil : $0 }
    let ignoresCase = !(arguments[2]?.isTrue ?? false)
    let path = try AttributePath(arguments[0] ?? .none, ignoresCase: ignoresCase, fallback: fallback)
    let plain = try AttributePath(arguments[0] ?? .none, fallback: fallback)
    let pairs = try keyed(value.elements(interpreter.meter), [path], interpreter)
    let sorted = try interpreter.sorted(pairs, isReverse: false) { try interpreter.less($0.keys[0], $1.keys[0]) }
    var groups: [(key: Value, elements: [Value])] = []
    for (keys, element) in sorted {
      if let last = groups.last, try interpreter.equal(last.key, keys[0]) {
        groups[groups.count - 1].elements.append(element)
      } else {
        groups.append((keys[0], [element]))
      }
    }
    return .list(
      try groups.map { group in
        let key = ignoresCase ? try plain.value(in: group.elements[0], interpreter) : group.key
        return .tuple(ListValue([key, .list(group.elements)], fields: ["grouper", "list"]))
      })
  }

  @Sendable private static func dictionarySorted(
    _ value: Value, _ arguments: [Value?], _ interpreter: Interpreter
  ) throws -> Value {
    guard case .dictionary(let dictionary) = value else {
      try interpreter.refuseUndefined(value)
      throw JinjaFault("'\(value.typeName)' object has no attribute 'items'")
    }
    let ignoresCase = !(arguments[0]?.isTrue ?? false)
    let by = try interpreter.string(arguments[1] ?? .text("key"))
    guard by == "key" || by == "value" else { throw JinjaFault("You can only sort by either \"key\" or \"value\"") }
    let pairs = zip(dictionary.keys, dictionary.values).map { (key: $0, value: $1) }
    func key(_ pair: (key: Value, value: Value)) -> Value {
      let key = by == "key" ? pair.key : pair.value
      if ignoresCase, case .text(let text) = key { return .text(text.lowercased) }
      return key
    }
    let sorted = try interpreter.sorted(pairs, isReverse: arguments[2]?.isTrue ?? false) {
      try interpreter.less(key($0), key($1))
    }
    return .list(sorted.map { .tuple([$0.key, $0.value]) })
  }
}
