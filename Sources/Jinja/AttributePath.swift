/// Where a filter looks in each element, such as `address.city` or `0`.
struct AttributePath {
  private var parts: [Value]
  private let ignoresCase: Bool
  private let fallback: Value?

  /// - Parameters:
  ///   - ignoresCase: Strings are taken in lower case.
  ///   - fallback: What stands in for what is not there.
  init(_ attribute: Value, ignoresCase: Bool = false, fallback: Value? = nil) throws {
    self.ignoresCase = ignoresCase
    self.fallback = fallback
    switch attribute {
    case .none: parts = []
    case .text(let text):
      parts = text.parts(by: ".", limit: .max).map { part in
        part.all(\.isPythonDigit) ? Int(part.string).map(Value.integer) ?? .text(part) : .text(part)
      }
    default: parts = [attribute]
    }
  }

  func value(in element: Value, _ interpreter: Interpreter) throws -> Value {
    var value = element
    for part in parts {
      value = try interpreter.element(part, of: value)
      if let fallback, value.isUndefined { value = fallback }
    }
    if ignoresCase, case .text(let text) = value { return .text(text.lowercased) }
    return value
  }
}
