public import RandomStreams

/// All parameters of a model in one allocation, the gradients of those that train in another.
///
/// Each parameter begins on a cache line; the gaps hold zeros, so sums over the flat tensors mean what they say. Matrices
/// in bf16 are no part of the flat tensors, and do not train.
public final class ParameterBuffer {
  public let specifications: [ParameterSpecification]
  /// Where each parameter begins in the flat values, in elements.
  public let offsets: [Int]
  /// Where each parameter's gradient begins in the flat gradients, in elements; nil for one that does not train. Where
  /// all train, these are the ``offsets``.
  public private(set) var gradientOffsets: [Int?]
  private let storage: Storage
  private var gradientStorage: Storage?
  private let indices: [String: Int]
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
      end += Self.extent(specification)
    }
    self.offsets = offsets
    gradientOffsets = specifications.map { _ in nil }
    storage = Storage(shape: [end])
    indices = Dictionary(
      specifications.enumerated().map { ($1.name, $0) },
      uniquingKeysWith: { first, _ in preconditionFailure("two parameters are named \(specifications[first].name)") })
  }

  /// All values, flat.
  public var values: Tensor { storage.tensor }

  /// All gradients, flat; nil before ``allocateGradients(for:)``.
  public var gradients: Tensor? { gradientStorage?.tensor }

  /// Makes room for gradients, zeroed, of the parameters that train, each on a cache line and in the order of the
  /// specifications: as the values lie, where all train. What a layer or an optimizer took from the buffer before does
  /// not see them.
  ///
  /// - Precondition: there is none yet, and what trains is held in fp32.
  public func allocateGradients(for selection: ParameterSelection = .all) {
    precondition(gradientStorage == nil, "these parameters have gradients already")
    var end = 0
    for (index, specification) in specifications.enumerated() where selection.contains(specification) {
      precondition(matrices[specification.name] == nil, "\(specification.name) is held in bf16, which does not train")
      gradientOffsets[index] = end
      end += Self.extent(specification)
    }
    gradientStorage = Storage(shape: [end])
  }

  /// Elements that a parameter takes in a flat tensor: whole cache lines.
  public static func extent(_ specification: ParameterSpecification) -> Int {
    (specification.shape.reduce(1, *) + 15) / 16 * 16
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

  /// Number of elements of all parameters, without the gaps.
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
    func view(_ flat: Tensor, _ offset: Int) -> Tensor { flat.part(at: offset, shape: specification.shape) }
    let gradient = gradients.flatMap { flat in gradientOffsets[index].map { view(flat, $0) } }
    return Parameter(
      name: specification.name, role: specification.role, value: view(values, offsets[index]), gradient: gradient)
  }
}
