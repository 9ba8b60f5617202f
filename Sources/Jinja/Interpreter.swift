import Diagnostics
import JSON

/// One rendering of a template.
final class Interpreter {
  let program: Program
  let now: CalendarTime
  let meter: Meter
  /// The line of the template that is being run.
  var line = 1
  /// What is being written: the output, or what a block catches.
  var output: [UInt8] = []
  /// What was being written where blocks began that catch what is inside, outermost first.
  private var outer: [[UInt8]] = []
  /// What a block has caught, while its filters run.
  var caught: Value = .none
  /// Values of the template's externals.
  private var externals: [Value?] = []
  /// Scopes that macros refer to and namespaces: they may refer to themselves.
  private var scopes: [Scope] = []
  private var namespaces: [Namespace] = []
  private var depth = 0
  /// What generation blocks wrote, in code points.
  private var generated: [Range<Int>] = []

  init(_ program: Program, now: CalendarTime, limits: JinjaTemplate.Limits) {
    self.program = program
    self.now = now
    meter = Meter(limits)
  }

  func render(_ variables: JSONObject) throws -> JinjaTemplate.Rendering {
    externals = try program.externals.map { name in
      if let value = variables[name] { return try Value(value, self) }
      return Functions.named[name].map { .object($0()) }
    }
    let scope = Scope(program.scopes[0].slotCount, in: nil)
    enter(scope, 0)
    _ = try run(program.body, scope)
    try meter.output(bytes: output.count)
    let text = Text(output)
    return .init(
      text: text.string,
      generated: generated.map { text.offset(of: $0.lowerBound)..<text.offset(of: $0.upperBound) })
  }

  /// Lets go of values that refer to one another.
  func release() {
    for scope in scopes { scope.clear() }
    for namespace in namespaces { namespace.clear() }
    scopes = []
    namespaces = []
  }

  func keep(_ scope: Scope) { scopes.append(scope) }
  func keep(_ namespace: Namespace) { namespaces.append(namespace) }

  // MARK: Scopes

  /// Fills the places of a scope that is entered.
  func enter(_ scope: Scope, _ number: Int) {
    for (slot, source) in program.scopes[number].entries {
      switch source {
      case .missing: scope.slots[slot] = nil
      case .external(let index): scope.slots[slot] = externals[index]
      case .outer(let reference): scope.slots[slot] = scope.value(reference)
      }
    }
  }

  /// A scope of that number, entered.
  func scope(_ number: Int, in parent: Scope) -> Scope {
    let scope = Scope(program.scopes[number].slotCount, in: parent)
    enter(scope, number)
    return scope
  }

  func assign(_ value: Value, to name: Name, _ scope: Scope) {
    if let reference = program.references[name.index] { scope.set(value, reference) }
  }

  // MARK: Depth

  /// Runs something one level further in.
  @inline(__always)
  func nested<Result>(_ body: () throws -> Result) throws -> Result {
    try meter.step()
    depth += 1
    defer { depth -= 1 }
    guard depth <= meter.limits.depth else { throw meter.tooDeep() }
    return try body()
  }

  // MARK: Output

  func write(_ text: Text) throws {
    output += text.bytes
    try meter.work(bytes: text.bytes.count)
    if output.count > meter.limits.outputBytes { try meter.output(bytes: output.count) }
  }

  /// What is written while something runs, and whether that leaves a loop around.
  func catching(_ body: () throws -> Flow) throws -> (flow: Flow, text: Text) {
    outer.append(output)
    output = []
    let depth = outer.count
    let flow = try body()
    let text = Text(output)
    assert(outer.count == depth)
    output = outer.removeLast()
    try meter.text(bytes: text.bytes.count)
    return (flow, text)
  }

  /// Notes what a generation block is about to write, at the place that transformers takes it for: behind all that has
  /// been written outside of blocks that catch their text.
  func note(generated text: Text) {
    let start = Text.count((outer.first ?? output)[...])
    generated.append(start..<(start + text.count))
  }
}

/// What a statement does to the loop around it.
enum Flow { case next, leave, proceed }

/// The values of one scope.
final class Scope {
  var slots: [Value?]
  private let parent: Scope?

  init(_ count: Int, in parent: Scope?) {
    slots = Array(repeating: nil, count: count)
    self.parent = parent
  }

  func value(_ reference: Program.Reference) -> Value? {
    var scope = self
    for _ in 0..<reference.depth { scope = scope.parent! }
    return scope.slots[reference.slot]
  }

  func set(_ value: Value, _ reference: Program.Reference) {
    var scope = self
    for _ in 0..<reference.depth { scope = scope.parent! }
    scope.slots[reference.slot] = value
  }

  func clear() { slots = [] }
}

extension Value {
  /// A value of JSON.
  init(_ json: JSONValue, _ interpreter: Interpreter) throws {
    switch json {
    case .null: self = .none
    case .bool(let flag): self = .bool(flag)
    case .integer(let number): self = .integer(Int(number))
    case .double(let number): self = .double(number)
    case .string(let string): self = .text(Text(string))
    case .array(let elements): self = .list(try elements.map { try Value($0, interpreter) })
    case .object(let object):
      let dictionary = DictionaryValue()
      for entry in object.entries { dictionary.set(Text(entry.key), try Value(entry.value, interpreter)) }
      self = .dictionary(dictionary)
    }
    if depth > interpreter.meter.limits.depth { try interpreter.meter.check(depth: depth) }
  }
}
