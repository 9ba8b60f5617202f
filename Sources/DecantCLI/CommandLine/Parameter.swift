/// One thing a command takes from the command line, with the type it is read as.
///
/// A command holds its parameters as stored properties, lists them in its ``Declaration`` and reads them with
/// `arguments[parameter]`, so a value's type is known to the compiler.
package struct Parameter<Value: Sendable>: Sendable {
  package let specification: ParameterSpecification
}

/// What the parser and the help need to know of a parameter, whatever its type.
package struct ParameterSpecification: Sendable {
  package enum Kind: Sendable, Equatable {
    /// `--name VALUE`.
    case option
    /// `--name`.
    case flag
    /// A word that stands by itself, taken in the order of declaration.
    case positional
  }

  /// The long name without dashes; a positional's name in messages.
  package var name: String
  package var kind: Kind
  /// What stands for the value in the help, such as `DIR`; empty for a flag.
  package var placeholder: String
  package var help: String
  /// What the value is where none is given, for the help; nil where there is nothing to say.
  package var defaultText: String?
  package var isRequired: Bool
  package var isRepeated: Bool
  /// The texts given, in order, to the value; a text that does not fit throws a ``ValueFault``.
  package var read: @Sendable ([String]) throws -> any Sendable

  /// How messages and the help call it: `--name`, or the placeholder of a positional.
  package var label: String { kind == .positional ? placeholder : "--\(name)" }

  package var isFlag: Bool { kind == .flag }
}

// MARK: Declaring parameters

extension Parameter where Value: ArgumentValue {
  /// `--name VALUE` that must be given.
  package static func required(
    _ name: String, _ placeholder: String, allowed: Allowed<Value> = .any, _ help: String
  ) -> Parameter {
    Parameter(
      name, .option, placeholder, help, isRequired: true, read: { try allowed.read($0[0]) })
  }

  /// `--name VALUE` with a default.
  package static func option(
    _ name: String, _ placeholder: String, default standard: Value, allowed: Allowed<Value> = .any, _ help: String
  ) -> Parameter {
    Parameter(
      name, .option, placeholder, help, defaultText: standard.argumentText,
      read: { try $0.last.map { try allowed.read($0) } ?? standard })
  }

  /// A word by itself that must be given.
  package static func positional(_ placeholder: String, allowed: Allowed<Value> = .any, _ help: String) -> Parameter {
    Parameter(
      placeholder, .positional, placeholder, help, isRequired: true, read: { try allowed.read($0[0]) })
  }
}

extension Parameter {
  /// `--name VALUE` that may be left out; nil then. `without` says in the help what happens in that case.
  package static func optional<Item: ArgumentValue>(
    _ name: String, _ placeholder: String, without: String? = nil, allowed: Allowed<Item> = .any, _ help: String
  ) -> Parameter where Value == Item? {
    Parameter(
      name, .option, placeholder, help, defaultText: without,
      read: { try $0.last.map { try allowed.read($0) } as Item? })
  }

  /// `--name VALUE`, any number of times, in order.
  package static func repeated<Item: ArgumentValue>(
    _ name: String, _ placeholder: String, allowed: Allowed<Item> = .any, _ help: String
  ) -> Parameter where Value == [Item] {
    Parameter(
      name, .option, placeholder, help, isRepeated: true, read: { try $0.map { try allowed.read($0) } })
  }

  /// A word by itself that may be left out.
  package static func optionalPositional<Item: ArgumentValue>(
    _ placeholder: String, without: String? = nil, allowed: Allowed<Item> = .any, _ help: String
  ) -> Parameter where Value == Item? {
    Parameter(
      placeholder, .positional, placeholder, help, defaultText: without,
      read: { try $0.last.map { try allowed.read($0) } as Item? })
  }
}

extension Parameter where Value == Bool {
  /// `--name`: true where given.
  package static func flag(_ name: String, _ help: String) -> Parameter {
    Parameter(name, .flag, "", help, read: { !$0.isEmpty })
  }
}

extension Parameter {
  private init(
    _ name: String, _ kind: ParameterSpecification.Kind, _ placeholder: String, _ help: String,
    defaultText: String? = nil, isRequired: Bool = false, isRepeated: Bool = false,
    read: @escaping @Sendable ([String]) throws -> Value
  ) {
    specification = ParameterSpecification(
      name: name, kind: kind, placeholder: placeholder, help: help, defaultText: defaultText, isRequired: isRequired,
      isRepeated: isRepeated, read: { try read($0) })
  }
}

extension Parameter where Value == Bool {
  /// The convention of every verb that has results: `--json`.
  package static var json: Parameter { flag("json", "Print the results as one JSON object.") }
}
