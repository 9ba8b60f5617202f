import Diagnostics

/// How far a student's next-token distribution q lies from its teacher's p at a position, with temperature 1: what a
/// student is trained to minimise.
///
/// Every divergence reports its true value: 0 exactly where p = q and never negative. Names and conventions of DistiLLM
/// (arXiv 2402.03898) and of GKD (arXiv 2306.13649) for JSD.
///
/// A divergence is a ``DivergenceFormula`` with its parameters. To add one: a file such as `SkewKL.swift`, a row of
/// ``table``, and a test; everything else, from the command line to the loss, finds it there.
public struct Divergence: Sendable, Equatable {
  /// The values of the formula's parameters.
  public let parameters: DivergenceParameters
  package let formula: any DivergenceFormula

  /// Every divergence, in the order in which messages list them.
  public static let table: [any DivergenceFormula.Type] = [
    ForwardKL.self,
    ReverseKL.self,
    JensenShannon.self,
    RescaledJensenShannon.self,
    TotalVariation.self,
    SkewKL.self,
    SkewReverseKL.self,
    AlphaBeta.self,
    AdaptiveKL.self,
    TokenwiseKL.self,
    AlphaMixtureKL.self,
  ]

  /// The names of ``table``, in its order.
  public static var names: [String] { table.map { $0.name } }

  /// A divergence with the standard values of its parameters.
  public init(_ formula: any DivergenceFormula.Type) { self.init(checked: formula, DivergenceParameters()) }

  /// A divergence with parameters; those that it does not take are not read.
  ///
  /// - Throws: a `Diagnostic` naming the parameter that lies outside its bounds, as `field`, and the bounds.
  public init(_ formula: any DivergenceFormula.Type, _ parameters: DivergenceParameters) throws {
    for parameter in formula.parameters { try parameter.check(parameters[parameter]) }
    try formula.check(parameters)
    self.init(checked: formula, parameters)
  }

  /// The divergence of that name in ``table``; parameters that it does not take are not read.
  ///
  /// - Throws: a `Diagnostic` naming the known divergences where `name` is none of them, or the parameter that lies
  ///   outside its bounds.
  public init(named name: String, _ parameters: DivergenceParameters = DivergenceParameters()) throws {
    guard let formula = Self.table.first(where: { $0.name == name }) else {
      throw Diagnostic.input(
        "'\(name)' is not a divergence", field: "divergence",
        remedy: "use one of \(Self.names.joined(separator: ", "))")
    }
    try self.init(formula, parameters)
  }

  private init(checked formula: any DivergenceFormula.Type, _ parameters: DivergenceParameters) {
    self.formula = formula.init(parameters)
    self.parameters = DivergenceParameters(formula.parameters.map { ($0, parameters[$0]) })
  }

  /// What a pipeline calls it, such as `skl`.
  public var name: String { type(of: formula).name }

  /// The parameters that it takes.
  public var taken: [DivergenceParameter] { type(of: formula).parameters }

  /// Whether it has to know which token follows; ``Outcomes/target`` then.
  var needsTarget: Bool { type(of: formula).needsTarget }

  /// The largest value it can take in nats; nil where there is none.
  public var upperBound: Double? { formula.upperBound }

  /// The value in nats and the gradient with respect to the student's logits, `[outcomes]`, in double precision.
  ///
  /// This is the definition that kernels are held against, and what training runs where a divergence has no kernel.
  public func evaluate(_ outcomes: Outcomes) -> (value: Double, gradient: [Double]) {
    let terms = formula.evaluate(outcomes)
    return (terms.value, outcomes.logitGradient(terms.slopes))
  }

  public static func == (a: Divergence, b: Divergence) -> Bool { a.name == b.name && a.parameters == b.parameters }
}

extension Divergence: CustomStringConvertible {
  /// The name with the parameters, such as `skl(alpha: 0.1)`.
  public var description: String {
    let values = taken.map { "\($0.name): \(parameters[$0])" }
    return values.isEmpty ? name : "\(name)(\(values.joined(separator: ", ")))"
  }
}

/// What one file says of a divergence: its name, parameters, bound, value and gradient.
public protocol DivergenceFormula: Sendable {
  /// What a pipeline calls it.
  static var name: String { get }
  /// The numbers it takes beside the two distributions.
  static var parameters: [DivergenceParameter] { get }

  /// Whether it has to know which token follows, and so is none of ``Divergence/table``.
  static var needsTarget: Bool { get }

  /// Throws a `Diagnostic` where values that are within their bounds cannot stand together.
  static func check(_ parameters: DivergenceParameters) throws

  /// The formula with these values of its ``parameters``, which lie within their bounds.
  init(_ parameters: DivergenceParameters)

  /// The largest value it can take in nats; nil where there is none.
  var upperBound: Double? { get }

  /// The kernel that computes it on rows of logits; nil where there is none, and ``evaluate(_:)`` does it.
  var fusedForm: FusedForm? { get }

  /// The value, and its derivative by the student's log-probs.
  func evaluate(_ outcomes: Outcomes) -> DivergenceTerms
}

extension DivergenceFormula {
  public static var parameters: [DivergenceParameter] { [] }
  public static var needsTarget: Bool { false }
  public static func check(_ parameters: DivergenceParameters) throws {}
  public var upperBound: Double? { nil }
  public var fusedForm: FusedForm? { nil }
}
