public import RandomStreams

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

/// A named tensor that training changes, or a matrix of weights that is only read.
public struct Parameter: Sendable {
  public let name: String
  public let role: ParameterRole
  public let weights: Weights
  public let shape: [Int]
  /// Where gradients accumulate; nil when not training, or when the parameter is frozen.
  public let gradient: Tensor?

  public init(name: String, role: ParameterRole, value: Tensor, gradient: Tensor? = nil) {
    self.name = name
    self.role = role
    self.gradient = gradient
    weights = .fp32(value)
    shape = value.shape
  }

  /// A matrix held in bf16.
  public init(name: String, role: ParameterRole, matrix: BFloat16Matrix) {
    self.name = name
    self.role = role
    gradient = nil
    weights = .bf16(matrix)
    shape = [matrix.rows, matrix.columns]
  }

  /// The values.
  ///
  /// - Precondition: they are held in fp32, as all are of a model that trains.
  public var value: Tensor {
    guard case .fp32(let tensor) = weights else { preconditionFailure("\(name) is held in bf16: read its weights") }
    return tensor
  }

  /// Whether backward passes leave it alone.
  public var frozen: Bool { gradient == nil }
}

/// All parameters of a model in one allocation, their gradients in another.
///
/// Each parameter begins on a cache line; the gaps hold zeros, so sums over the flat tensors mean what they say. Matrices
/// in bf16 are no part of the flat tensors: a model that has some does not train.
public final class ParameterBuffer {
  public let specifications: [ParameterSpecification]
  /// Where each parameter begins in the flat tensors, in elements.
  public let offsets: [Int]
  private let storage: Storage
  private var gradientStorage: Storage?
  private let indices: [String: Int]
  private var frozenNames: Set<String> = []
  private let matrices: [String: BFloat16Matrix]

  /// Zeroed parameters without gradients.
  ///
  /// - Parameter matrices: Those that are held in bf16, with their values.
  /// - Precondition: names differ, and matrices have the shapes that are asked for.
  public init(_ specifications: [ParameterSpecification], matrices: [String: BFloat16Matrix] = [:]) {
    self.specifications = specifications
    self.matrices = matrices
    var offsets: [Int] = []
    var end = 0
    for specification in specifications {
      offsets.append(end)
      if let matrix = matrices[specification.name] {
        precondition([matrix.rows, matrix.columns] == specification.shape, "\(specification.name) has another shape")
        continue
      }
      end += (specification.shape.reduce(1, *) + 15) / 16 * 16
    }
    self.offsets = offsets
    storage = Storage(shape: [end])
    indices = Dictionary(
      specifications.enumerated().map { ($1.name, $0) },
      uniquingKeysWith: { first, _ in preconditionFailure("two parameters are named \(specifications[first].name)") })
  }

  /// All values, flat.
  public var values: Tensor { storage.tensor }

  /// All gradients, flat; nil before ``allocateGradients()``.
  public var gradients: Tensor? { gradientStorage?.tensor }

  /// Makes room for gradients, zeroed; nothing happens where there is.
  public func allocateGradients() {
    precondition(matrices.isEmpty, "a model with weights in bf16 does not train")
    if gradientStorage == nil { gradientStorage = Storage(shape: values.shape) }
  }

  /// Excludes a parameter from training from now on: its `gradient` is nil.
  public func freeze(_ name: String) {
    precondition(indices[name] != nil, "no parameter is named \(name)")
    frozenNames.insert(name)
  }

  /// The parameter of that name.
  ///
  /// - Precondition: there is one; ``contains(_:)`` tells.
  public subscript(_ name: String) -> Parameter {
    guard let index = indices[name] else { preconditionFailure("no parameter is named \(name)") }
    return parameter(index)
  }

  public func contains(_ name: String) -> Bool { indices[name] != nil }

  /// All parameters in the order of their specifications.
  public var parameters: [Parameter] { specifications.indices.map(parameter) }

  /// Bytes that the values take, in fp32 and bf16.
  public var bytes: Int {
    values.count * MemoryLayout<Float>.stride
      + matrices.values.reduce(0) { $0 + $1.rows * $1.columns * MemoryLayout<UInt16>.stride }
  }

  /// The same parameters with every matrix rounded to bf16, in memory of their own.
  public func roundedToBF16() -> ParameterBuffer {
    let wide = specifications.filter { $0.shape.count == 2 }
    let rounded = ParameterBuffer(
      specifications,
      matrices: Dictionary(uniqueKeysWithValues: wide.map { ($0.name, BFloat16Matrix(rounding: self[$0.name].value)) }))
    for specification in specifications where specification.shape.count != 2 {
      rounded[specification.name].value.copy(from: self[specification.name].value)
    }
    return rounded
  }

  /// Number of trainable and frozen elements, without the gaps.
  public var elementCount: Int { specifications.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  /// Fills every parameter as its specification says; each normal one draws from a stream of its own, so adding a
  /// parameter does not change the others.
  public func initialize(_ stream: inout RandomStream) {
    let root = RandomStream(key: stream.next(), position: 0)
    for (index, specification) in specifications.enumerated() {
      let value = parameter(index).value
      switch specification.initialization {
      case .zeros: value.fill(0)
      case .ones: value.fill(1)
      case .normal(let deviation):
        var own = root.split(UInt64(index))
        value.fillNormal(standardDeviation: deviation, &own)
      }
    }
  }

  private func parameter(_ index: Int) -> Parameter {
    let specification = specifications[index]
    if let matrix = matrices[specification.name] {
      return Parameter(name: specification.name, role: specification.role, matrix: matrix)
    }
    func view(_ flat: Tensor) -> Tensor { flat.part(at: offsets[index], shape: specification.shape) }
    return Parameter(
      name: specification.name, role: specification.role, value: view(values),
      gradient: frozenNames.contains(specification.name) ? nil : gradients.map(view))
  }
}
