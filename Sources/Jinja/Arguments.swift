/// What a filter, a test, a method or a macro is called with.
struct Arguments {
  var positional: [Value] = []
  var named: [(name: Text, value: Value)] = []

  /// The values by the names of parameters, nil for those that are not given.
  ///
  /// - Throws: as Python does where there are too many, an unknown one, or one of the first `required` is missing.
  func bound(to parameters: [String], required: Int, of function: String) throws -> [Value?] {
    guard positional.count <= parameters.count else {
      throw JinjaFault("\(function)() takes \(parameters.count) arguments but \(positional.count) were given")
    }
    var values: [Value?] = positional
    while values.count < parameters.count { values.append(nil) }
    for (name, value) in named {
      guard let index = parameters.firstIndex(where: { Text($0) == name }) else {
        throw JinjaFault("\(function)() got an unexpected keyword argument '\(name.string)'")
      }
      guard index >= positional.count else {
        throw JinjaFault("\(function)() got multiple values for argument '\(name.string)'")
      }
      values[index] = value
    }
    if let missing = values.prefix(required).firstIndex(where: { $0 == nil }) {
      throw JinjaFault("\(function)() is missing the argument '\(parameters[missing])'")
    }
    return values
  }
}
