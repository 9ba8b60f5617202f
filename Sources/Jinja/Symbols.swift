/// The names of one scope, as Jinja's compiler finds them before it writes any code: which name is whose variable
/// depends on all that the scope and those around it read and assign anywhere, not on what has run so far.
final class Symbols {
  /// Where the value of a name comes from when the scope is entered.
  enum Load {
    case parameter
    case missing
    case external(String)
    case outer(Program.Reference)
  }

  /// Places of a scope, which the copies for its branches share.
  private final class Places {
    var slots: [String: Int] = [:]
  }

  let parent: Symbols?
  private let places: Places
  private var names: Set<String> = []
  private var loads: [String: Load] = [:]
  private var stores: Set<String> = []

  init(in parent: Symbols?) {
    self.parent = parent
    places = Places()
  }

  private init(copyOf other: Symbols) {
    parent = other.parent
    places = other.places
    names = other.names
    loads = other.loads
    stores = other.stores
  }

  /// The names so far, for a branch to add to.
  func copy() -> Symbols { Symbols(copyOf: self) }

  /// Where a name is, in this scope or further out.
  func find(_ name: String) -> Program.Reference? {
    var depth = 0
    var scope: Symbols? = self
    while let symbols = scope {
      if symbols.names.contains(name), let slot = symbols.places.slots[name] { return .init(depth: depth, slot: slot) }
      depth += 1
      scope = symbols.parent
    }
    return nil
  }

  private func outer(_ name: String) -> Program.Reference? {
    parent?.find(name).map { .init(depth: $0.depth + 1, slot: $0.slot) }
  }

  private func define(_ name: String, _ load: Load) {
    names.insert(name)
    if places.slots[name] == nil { places.slots[name] = places.slots.count }
    loads[name] = load
  }

  /// A name is read.
  func load(_ name: String) {
    if find(name) == nil { define(name, .external(name)) }
  }

  /// A name is assigned.
  func store(_ name: String) {
    stores.insert(name)
    guard !names.contains(name) else { return }
    define(name, outer(name).map(Load.outer) ?? .missing)
  }

  /// A name is given by what enters the scope.
  func declare(_ name: String) {
    stores.insert(name)
    define(name, .parameter)
  }

  /// Takes over what branches have added, of which only one, or none, is run.
  func merge(_ branches: [Symbols]) {
    let stored = branches.reduce(into: Set<String>()) { $0.formUnion($1.stores) }.subtracting(stores)
    for branch in branches {
      names.formUnion(branch.names)
      loads.merge(branch.loads) { $1 }
      stores.formUnion(branch.stores)
    }
    for name in stored { loads[name] = outer(name).map(Load.outer) ?? .external(name) }
  }

  /// The scope as it is laid out when it is entered.
  func layout(external: (String) -> Int) -> Program.ScopeLayout {
    var layout = Program.ScopeLayout(slotCount: places.slots.count)
    for (name, slot) in places.slots.sorted(by: { $0.value < $1.value }) {
      switch loads[name] {
      case .parameter, nil: break
      case .missing: layout.entries.append((slot, .missing))
      case .external(let name): layout.entries.append((slot, .external(external(name))))
      case .outer(let reference): layout.entries.append((slot, .outer(reference)))
      }
    }
    return layout
  }
}

// MARK: Reading statements

extension Symbols {
  /// Adds the names of statements; those inside of scopes further in are not looked at.
  func add(_ statements: [Statement]) {
    for statement in statements { add(statement) }
  }

  func add(_ expression: Expression) {
    if case .name(let name) = expression.kind { load(name.text) }
    for part in expression.kind.parts { add(part) }
  }

  func add(_ target: Target, isParameter: Bool = false) {
    switch target {
    case .name(let name): isParameter ? declare(name.text) : store(name.text)
    case .attribute(let name, _): load(name.text)
    case .tuple(let targets): for target in targets { add(target, isParameter: isParameter) }
    }
  }

  private func add(_ statement: Statement) {
    switch statement {
    case .text, .leave, .proceed, .generation: break
    case .output(let expression): add(expression)
    case .assignment(let target, let value, _):
      add(value)
      add(target)
    case .capture(let target, _, _): add(target)
    case .conditional(let branches, let other): add(branches, other)
    case .loop(let loop): add(loop.elements)
    case .macro(let name, _): store(name.text)
    case .call(let call, _): add(call)
    case .filtered(let filter, _): add(filter)
    case .with(let entries, _): for entry in entries { add(entry.value) }
    }
  }

  private func add(_ branches: [(test: Expression, body: [Statement])], _ other: [Statement]) {
    guard let first = branches.first else { return }
    add(first.test)
    let body = copy()
    body.add(first.body)
    let others = copy()
    for branch in branches.dropFirst() {
      others.add(branch.test)
      let inner = others.copy()
      inner.add(branch.body)
      others.merge([inner])
    }
    let last = copy()
    last.add(other)
    merge([body, others, last])
  }
}
