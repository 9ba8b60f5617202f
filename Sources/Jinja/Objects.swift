/// What `namespace()` makes: attributes that can be assigned from everywhere.
final class Namespace: NativeObject {
  private var names: [Text: Int] = [:]
  private var entries: [(name: Text, value: Value)] = []

  override var typeName: String { "Namespace" }

  override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
    names[name].map { entries[$0].value }
  }

  /// - Throws: for a name that begins with an underscore, which transformers refuses.
  func set(_ name: Text, _ value: Value) throws {
    if name.bytes.first == UInt8(ascii: "_") {
      throw JinjaFault("underscore-prefixed attributes cannot be stored on a namespace, such as '\(name.string)'")
    }
    if let index = names[name] {
      entries[index].value = value
    } else {
      names[name] = entries.count
      entries.append((name, value))
    }
  }

  func clear() {
    entries = []
    names = [:]
  }

  override func description(_ interpreter: Interpreter) throws -> Text {
    if isPrinting { return "{...}" }
    isPrinting = true
    defer { isPrinting = false }
    let dictionary = DictionaryValue()
    for entry in entries { dictionary.set(entry.name, entry.value) }
    return try Text("<Namespace ") + interpreter.representation(.dictionary(dictionary)) + Text(">")
  }

  private var isPrinting = false
}

/// A macro, or the body of a call block, together with the scope that it stands in.
final class MacroValue: NativeObject {
  private let macro: Macro
  private let scope: Scope

  init(_ macro: Macro, in scope: Scope) {
    self.macro = macro
    self.scope = scope
  }

  override var typeName: String { "Macro" }
  override var isCallable: Bool { true }

  override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
    switch name {
    case "name": macro.name.map { .text(Text($0)) } ?? Value.none
    case "arguments": .tuple(macro.parameters.map { .text(Text($0.name.text)) })
    default: nil
    }
  }

  override func description(_ interpreter: Interpreter) throws -> Text {
    Text("<Macro \(macro.name.map { "'\($0)'" } ?? "anonymous")>")
  }

  override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    try interpreter.meter.steps(Meter.call)
    return try interpreter.nested { try invoke(arguments, interpreter) }
  }

  private func invoke(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    let inner = Scope(interpreter.program.scopes[macro.scope].slotCount, in: scope)
    interpreter.enter(inner, macro.scope)
    var named = arguments.named
    func take(_ name: String) -> Value? {
      named.firstIndex { $0.name == Text(name) }.map { named.remove(at: $0).value }
    }
    func assign(_ value: Value, _ name: Name) { interpreter.assign(value, to: name, inner) }
    var missing: [Macro.Parameter] = []
    for (index, parameter) in macro.parameters.enumerated() {
      if index < arguments.positional.count {
        assign(arguments.positional[index], parameter.name)
      } else if let value = take(parameter.name.text) {
        assign(value, parameter.name)
      } else {
        missing.append(parameter)
      }
    }
    let reads = { (name: Name) in interpreter.program.references[name.index] != nil }
    if reads(macro.caller) { assign(take("caller") ?? .undefined(Undefined("No caller defined")), macro.caller) }
    let extra = arguments.positional.dropFirst(macro.parameters.count)
    if reads(macro.kwargs) {
      let dictionary = DictionaryValue()
      for (name, value) in named { dictionary.set(name, value) }
      assign(.dictionary(dictionary), macro.kwargs)
    } else if let first = named.first {
      throw JinjaFault("macro \(macro.name ?? "") takes no keyword argument '\(first.name.string)'")
    }
    if reads(macro.varargs) {
      assign(.tuple(Array(extra)), macro.varargs)
    } else if !extra.isEmpty {
      throw JinjaFault("macro \(macro.name ?? "") takes not more than \(macro.parameters.count) argument(s)")
    }
    for parameter in missing {
      let fallback = try parameter.fallback.map { try interpreter.evaluate($0, inner) }
      assign(
        fallback ?? .undefined(Undefined("parameter '\(parameter.name.text)' was not provided")), parameter.name)
    }
    return .text(try interpreter.catching { try interpreter.run(macro.body, inner) }.text)
  }
}

/// A function of Jinja's, or a method together with its value.
final class FunctionValue: NativeObject {
  typealias Body = (Arguments, Interpreter) throws -> Value

  private let name: String
  private let body: Body

  init(_ name: String, _ body: @escaping Body) {
    self.name = name
    self.body = body
  }

  override var typeName: String { "function" }
  override var isCallable: Bool { true }

  override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
    try body(arguments, interpreter)
  }

  override func description(_ interpreter: Interpreter) throws -> Text {
    throw JinjaFault("it prints the function '\(name)', which has no text of its own")
  }
}
