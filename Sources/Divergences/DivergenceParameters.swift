/// A number that a divergence takes beside the two distributions.
public struct DivergenceParameter: Sendable {
  /// What a pipeline calls it.
  public let name: String
  /// Its value where none is given.
  public let standard: Float
  /// Throws a `Diagnostic` with the parameter's name as `field` where a value lies outside the bounds.
  public let check: @Sendable (Float) throws -> Void

  public init(name: String, standard: Float, check: @escaping @Sendable (Float) throws -> Void) {
    self.name = name
    self.standard = standard
    self.check = check
  }
}

/// Values of parameters by their names; a parameter without one has its standard value.
public struct DivergenceParameters: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  private let values: [String: Float]

  /// Of equal parameters the last counts.
  public init(_ values: [(DivergenceParameter, Float)] = []) {
    self.values = Dictionary(values.map { ($0.name, $1) }) { _, last in last }
  }

  /// `["alpha": 0.1]`; of equal names the last counts.
  public init(dictionaryLiteral elements: (String, Float)...) {
    values = Dictionary(elements) { _, last in last }
  }

  public subscript(_ parameter: DivergenceParameter) -> Float { values[parameter.name] ?? parameter.standard }
}
