import Diagnostics

/// What a command was given: a typed value for each of its parameters.
package struct Arguments: Sendable {
  private let values: [String: any Sendable]
  /// Where results go.
  package let output: Output

  /// Reads the words as the types the parameters declare.
  ///
  /// - Throws: a `Diagnostic` of category `input` where a required parameter is missing or a word does not fit.
  init(_ parsed: ParsedWords, for declaration: Declaration, output: Output) throws {
    var values: [String: any Sendable] = [:]
    for parameter in declaration.parameters {
      let words = parsed.words[parameter.name] ?? []
      if parameter.isRequired && words.isEmpty {
        throw Diagnostic.input(
          "is missing", field: parameter.label,
          remedy:
            "give \(parameter.kind == .positional ? "" : "\(parameter.label) ")\(parameter.placeholder): \(parameter.help)"
        )
      }
      do { values[parameter.name] = try parameter.read(words) } catch let fault as ValueFault {
        throw Diagnostic.input(fault.message, field: parameter.label)
      }
    }
    self.values = values
    self.output = output
  }

  /// The value of a parameter: what was given, or its default.
  ///
  /// - Precondition: the command's declaration lists the parameter.
  package subscript<Value>(parameter: Parameter<Value>) -> Value {
    let name = parameter.specification.name
    guard let value = values[name] as? Value else {
      preconditionFailure("\(parameter.specification.label) is read, but the command does not declare it")
    }
    return value
  }

  /// The words given for an option that a stage reads; none where it was left out.
  func words(_ name: String) -> [String] { values[name] as? [String] ?? [] }
}
