/// Whether the optimizer shrinks a parameter: matrices are decayed, biases and norms are not.
public enum ParameterRole: Sendable, Equatable {
  case decayed, undecayed
}

/// What a parameter holds before training.
public enum ParameterInitialization: Sendable, Equatable {
  case normal(standardDeviation: Float)
  case zeros
  case ones
}

/// A parameter that a model asks for.
public struct ParameterSpecification: Sendable, Equatable {
  public var name: String
  public var shape: [Int]
  public var role: ParameterRole
  public var initialization: ParameterInitialization

  public init(name: String, shape: [Int], role: ParameterRole, initialization: ParameterInitialization) {
    self.name = name
    self.shape = shape
    self.role = role
    self.initialization = initialization
  }
}

/// Which parameters have gradients.
public struct ParameterSelection: Sendable {
  private let includes: @Sendable (ParameterSpecification) -> Bool

  /// Those for which `includes` is true.
  public init(where includes: @escaping @Sendable (ParameterSpecification) -> Bool) { self.includes = includes }

  public static let all = ParameterSelection { _ in true }
  public static let none = ParameterSelection { _ in false }

  public func contains(_ specification: ParameterSpecification) -> Bool { includes(specification) }
}

/// A named tensor that training changes, or weights that are only read.
public struct Parameter: Sendable {
  public let name: String
  public let role: ParameterRole
  public let shape: [Int]
  /// Where gradients accumulate; nil where it does not train.
  public let gradient: Tensor?
  /// nil where it is only declared.
  private let held: Weights?

  public init(name: String, role: ParameterRole, value: Tensor, gradient: Tensor? = nil) {
    self.name = name
    self.role = role
    self.gradient = gradient
    held = .fp32(value)
    shape = value.shape
  }

  /// A matrix held in bf16.
  public init(name: String, role: ParameterRole, matrix: BFloat16Matrix) {
    self.name = name
    self.role = role
    gradient = nil
    held = .bf16(matrix)
    shape = [matrix.rows, matrix.columns]
  }

  /// A parameter without values, for a model that is made only to tell which parameters it has.
  public init(declaring specification: ParameterSpecification) {
    name = specification.name
    role = specification.role
    shape = specification.shape
    gradient = nil
    held = nil
  }

  /// The same values and gradient under another name.
  public func renamed(_ name: String) -> Parameter { Parameter(self, name: name) }

  private init(_ parameter: Parameter, name: String) {
    self.name = name
    (role, shape, gradient, held) = (parameter.role, parameter.shape, parameter.gradient, parameter.held)
  }

  /// The values, as they lie in memory.
  ///
  /// - Precondition: it has values.
  public var weights: Weights {
    guard let held else { preconditionFailure("\(name) is declared, but has no values") }
    return held
  }

  /// The values.
  ///
  /// - Precondition: they are held in fp32, as all are that train.
  public var value: Tensor {
    guard case .fp32(let tensor) = weights else { preconditionFailure("\(name) is held in bf16: read its weights") }
    return tensor
  }

  /// Whether backward passes add to its gradient.
  public var trains: Bool { gradient != nil }
}
