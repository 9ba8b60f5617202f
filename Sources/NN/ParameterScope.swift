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
    private(set) var specifications: [ParameterSpecification] = []
    /// Places of those that may be asked for again.
    private var places: [String: Int] = [:]

    /// Notes what is asked for; what stands for several is noted once, as it is asked for first.
    func add(_ specification: ParameterSpecification, isShared: Bool) {
      if isShared {
        if let place = places[specification.name] {
          let first = specifications[place].shape
          precondition(
            first == specification.shape, "\(specification.name) is shared as \(first) and as \(specification.shape)")
          return
        }
        places[specification.name] = specifications.count
      }
      specifications.append(specification)
    }
  }

  private let source: Source
  /// What the names of the scope begin with: nothing, or names that each end in a dot.
  private let prefix: String
  /// Makes the adapter of a linear layer by its name, inputs and outputs; nil where there are none.
  private let adapter: ((String, Int, Int) -> LowRankAdapter?)?
  /// The name of the parameter that stands for the one of a name; nil where each stands for itself.
  private let shared: ((String) -> String)?

  private init(
    _ source: Source, prefix: String, adapter: ((String, Int, Int) -> LowRankAdapter?)? = nil,
    shared: ((String) -> String)? = nil
  ) {
    self.source = source
    self.prefix = prefix
    self.adapter = adapter
    self.shared = shared
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
    ParameterScope(source, prefix: "\(prefix)\(name).", adapter: adapter, shared: shared)
  }

  /// The scope of a layer by its number.
  public subscript(_ number: Int) -> ParameterScope { self["\(number)"] }

  /// The same scope for a model some of whose linear layers are adapted.
  ///
  /// - Parameter adapters: Where the adapters' parameters are, each under the name of its layer.
  public func adapted(_ settings: LowRankSettings, by adapters: ParameterScope) -> ParameterScope {
    let adapter = { (name: String, inputs: Int, outputs: Int) in
      settings.adapts(name)
        ? LowRankAdapter(adapters[name], inputs: inputs, outputs: outputs, rank: settings.rank, alpha: settings.alpha)
        : nil
    }
    return ParameterScope(source, prefix: prefix, adapter: adapter, shared: shared)
  }

  /// The same scope for a model some of whose parameters stand for others too: what asks for one of those is given the one that
  /// stands for it, and both backward passes add to one gradient.
  ///
  /// - Parameter name: The name of the parameter that stands for the one of a name: another one, or the name itself. One that
  ///   stands for others stands for itself.
  public func sharing(_ name: @escaping (_ name: String) -> String) -> ParameterScope {
    ParameterScope(source, prefix: prefix, adapter: adapter, shared: name)
  }

  /// The adapter of the linear layer whose scope this is; nil where it has none.
  func adapter(inputs: Int, outputs: Int) -> LowRankAdapter? { adapter?(String(prefix.dropLast()), inputs, outputs) }

  /// The parameter of that name in the scope, or the one that stands for it.
  ///
  /// - Precondition: a buffer that the scope is bound to has one of that name and shape; what stands for several is asked for
  ///   in one shape.
  public func parameter(
    _ name: String, shape: [Int], role: ParameterRole, initialization: ParameterInitialization
  ) -> Parameter {
    let own = prefix + name
    let specification = ParameterSpecification(
      name: shared?(own) ?? own, shape: shape, role: role, initialization: initialization)
    switch source {
    case .declaring(let declarations):
      declarations.add(specification, isShared: shared != nil)
      return Parameter(declaring: specification)
    case .bound(let parameters):
      let parameter = parameters[specification.name]
      precondition(
        parameter.shape == shape, "\(specification.name) has the shape \(parameter.shape), where \(shape) is asked for")
      return parameter
    }
  }
}
