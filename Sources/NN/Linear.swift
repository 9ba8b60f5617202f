public import Tensor

/// A matrix product with an optional bias: `x·Wᵀ + b` or, in GPT-2's layout, `x·W + b`.
public struct Linear: Sendable {
  public let weight: Parameter
  public let bias: Parameter?
  public let layout: WeightLayout

  /// The layer whose parameters are `name.weight` and, where `bias` is set, `name.bias`.
  public init(_ name: String, bias: Bool, layout: WeightLayout = .outputByInput, in parameters: ParameterBuffer) {
    weight = parameters["\(name).weight"]
    self.bias = bias ? parameters["\(name).bias"] : nil
    self.layout = layout
  }

  /// What a `ParameterBuffer` must hold for the layer: a decayed matrix, normal at the start, and an undecayed bias
  /// of zeros.
  public static func specifications(
    _ name: String, inputs: Int, outputs: Int, bias: Bool, layout: WeightLayout = .outputByInput,
    standardDeviation: Float
  ) -> [ParameterSpecification] {
    let shape = layout == .outputByInput ? [outputs, inputs] : [inputs, outputs]
    let weight = ParameterSpecification(
      name: "\(name).weight", shape: shape, role: .decayed,
      initialization: .normal(standardDeviation: standardDeviation))
    guard bias else { return [weight] }
    return [
      weight,
      ParameterSpecification(name: "\(name).bias", shape: [outputs], role: .undecayed, initialization: .zeros),
    ]
  }

  /// `x` [rows, inputs] to [rows, outputs].
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    tape.linear(x, weight, bias: bias, weightLayout: layout)
  }
}
