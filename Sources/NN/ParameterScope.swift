public import Tensor

/// Where the layers of a model take their parameters from, by name.
///
/// A layer says once what its parameters are called, their shapes and how they begin. The same code that builds a model
/// then serves twice: against a scope that only writes down what is asked for, without memory for a weight, and against
/// one whose parameters are those of a buffer made from that list.
public struct ParameterScope {
  private enum Source {
    case declaring(Declarations)
    case bound(ParameterBuffer)
  }

  private final class Declarations {
    var specifications: [ParameterSpecification] = []
  }

  private let source: Source
  /// What the names of the scope begin with: nothing, or names that each end in a dot.
  private let prefix: String
  /// Makes the adapter of a linear layer by its name, inputs and outputs; nil where there are none.
  private let adapter: ((String, Int, Int) -> LowRankAdapter?)?

  private init(_ source: Source, prefix: String, adapter: ((String, Int, Int) -> LowRankAdapter?)? = nil) {
    self.source = source
    self.prefix = prefix
    self.adapter = adapter
  }

  /// The parameters of a buffer, which was made from the ``declarations(of:)`` of what is built against the scope.
  public init(_ parameters: ParameterBuffer) { self.init(.bound(parameters), prefix: "") }

  /// What `build` asks of the scope, in its order. What it builds has no values, and is good for nothing else.
  public static func declarations(of build: (ParameterScope) -> Void) -> [ParameterSpecification] {
    let declarations = Declarations()
    build(ParameterScope(.declaring(declarations), prefix: ""))
    return declarations.specifications
  }

  /// The scope of the names that begin with `name` and a dot.
  public subscript(_ name: String) -> ParameterScope {
    ParameterScope(source, prefix: "\(prefix)\(name).", adapter: adapter)
  }

  /// The scope of a layer by its number.
  public subscript(_ number: Int) -> ParameterScope { self["\(number)"] }

  /// The same scope for a model some of whose linear layers are adapted.
  ///
  /// - Parameter adapters: Where the adapters' parameters are, each under the name of its layer.
  public func adapted(_ settings: LowRankSettings, by adapters: ParameterScope) -> ParameterScope {
    ParameterScope(source, prefix: prefix) { name, inputs, outputs in
      settings.adapts(name)
        ? LowRankAdapter(adapters[name], inputs: inputs, outputs: outputs, rank: settings.rank, alpha: settings.alpha)
        : nil
    }
  }

  /// The adapter of the linear layer whose scope this is; nil where it has none.
  func adapter(inputs: Int, outputs: Int) -> LowRankAdapter? { adapter?(String(prefix.dropLast()), inputs, outputs) }

  /// The parameter of that name in the scope.
  ///
  /// - Precondition: a buffer that the scope is bound to has one of that name and shape.
  public func parameter(
    _ name: String, shape: [Int], role: ParameterRole, initialization: ParameterInitialization
  ) -> Parameter {
    let specification = ParameterSpecification(
      name: prefix + name, shape: shape, role: role, initialization: initialization)
    switch source {
    case .declaring(let declarations):
      declarations.specifications.append(specification)
      return Parameter(declaring: specification)
    case .bound(let parameters):
      let parameter = parameters[specification.name]
      precondition(
        parameter.shape == shape, "\(specification.name) has the shape \(parameter.shape), where \(shape) is asked for")
      return parameter
    }
  }
}
