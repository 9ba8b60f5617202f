/// The variable `loop`.
final class LoopState: NativeObject {
  private let source: Value
  private var cursor: Cursor
  /// An element that was looked at before its turn; `.some(nil)` behind the last one.
  private var ahead: Value??
  private var index0 = -1
  private var current: Value?
  private var before: Value?
  private var knownLength: Int?
  private var lastChanged: [Value]?

  init(_ source: Value) throws {
    self.source = source
    cursor = try Cursor(source)
  }

  override var typeName: String { "LoopContext" }

  override func description(_ interpreter: Interpreter) throws -> Text {
    Text("<LoopContext \(index0 + 1)/\(try length())>")
  }

  /// Goes on to the next element.
  func advance() throws -> Value? {
    let element = try ahead ?? cursor.next()
    ahead = nil
    guard let element else { return nil }
    index0 += 1
    before = current
    current = element
    return element
  }

  private func peek() throws -> Value? {
    if let ahead { return ahead }
    let element = try cursor.next()
    ahead = .some(element)
    return element
  }

  /// The number of elements; those of a generator are made for that.
  func length() throws -> Int {
    if let knownLength { return knownLength }
    if let length = source.length {
      knownLength = length
      return length
    }
    var elements: [Value] = []
    while let element = try cursor.next() { elements.append(element) }
    cursor = Cursor(list: elements)
    let isAhead = if case .some(.some) = ahead { 1 } else { 0 }
    knownLength = elements.count + index0 + 1 + isAhead
    return elements.count + index0 + 1 + isAhead
  }

  override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
    switch name.string {
    case "index": .integer(index0 + 1)
    case "index0": .integer(index0)
    case "first": .bool(index0 == 0)
    case "last": .bool(try peek() == nil)
    case "length": .integer(try length())
    case "revindex": .integer(try length() - index0)
    case "revindex0": .integer(try length() - index0 - 1)
    case "previtem": index0 == 0 ? .undefined(Undefined("there is no previous item")) : before
    case "nextitem": try peek() ?? .undefined(Undefined("there is no next item"))
    case "depth": .integer(1)
    case "depth0": .integer(0)
    case "cycle": .object(FunctionValue("cycle") { [self] in try cycle($0, $1) })
    case "changed": .object(FunctionValue("changed") { [self] in try changed($0, $1) })
    default: nil
    }
  }

  private func cycle(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    guard !arguments.positional.isEmpty else { throw JinjaFault("no items for cycling given") }
    return arguments.positional[max(index0, 0) % arguments.positional.count]
  }

  private func changed(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    if let lastChanged, try interpreter.equal(lastChanged, arguments.positional) { return .bool(false) }
    lastChanged = arguments.positional
    return .bool(true)
  }

  override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    throw JinjaFault("the loop must have the 'recursive' marker to be called recursively")
  }

  override var isCallable: Bool { true }
}
