/// Goes through the elements of a value.
struct Cursor {
  private enum Source {
    case list([Value])
    case view(DictionaryView)
    case range(RangeValue)
    case text(Text)
    case generator(Generator)
    case nothing
  }

  private let source: Source
  private var index = 0

  /// - Throws: for a value that Python cannot go through.
  init(_ value: Value) throws {
    switch value {
    case .undefined: source = .nothing
    case .list(let list), .tuple(let list): source = .list(list.elements)
    case .dictionary(let dictionary): source = .list(dictionary.keys)
    case .view(let view): source = .view(view)
    case .range(let range): source = .range(range)
    case .text(let text): source = .text(text)
    case .generator(let generator): source = .generator(generator)
    default: throw JinjaFault("'\(value.typeName)' object is not iterable")
    }
  }

  init(list: [Value]) { source = .list(list) }

  mutating func next() throws -> Value? {
    defer { index += 1 }
    switch source {
    case .nothing: return nil
    case .list(let elements): return index < elements.count ? elements[index] : nil
    case .view(let view): return index < view.dictionary.count ? view[index] : nil
    case .range(let range): return index < range.count ? range[index] : nil
    case .generator(let generator): return try generator.next()
    case .text(let text):
      guard index < text.bytes.count else { return nil }
      let start = index
      index += Text.length(text.bytes[start]) - 1
      return .text(Text(text.bytes[start...index]))
    }
  }
}

extension Value {
  static func isIterable(_ value: Value) -> Bool { (try? Cursor(value)) != nil }

  /// The number of elements, of what Python's `len` knows it; nil for other values.
  var length: Int? {
    switch self {
    case .undefined: 0
    case .text(let text): text.count
    case .list(let list), .tuple(let list): list.elements.count
    case .dictionary(let dictionary): dictionary.count
    case .view(let view): view.dictionary.count
    case .range(let range): range.count
    case .object(let loop as LoopState): try? loop.length()
    default: nil
    }
  }

  /// All elements, of anything that Python can go through.
  func elements(_ meter: Meter) throws -> [Value] {
    switch self {
    case .list(let list), .tuple(let list): return list.elements
    case .dictionary(let dictionary): return dictionary.keys
    default:
      var cursor = try Cursor(self)
      var elements: [Value] = []
      while let element = try cursor.next() {
        try meter.step()
        try meter.elements(1)
        elements.append(element)
      }
      return elements
    }
  }
}
