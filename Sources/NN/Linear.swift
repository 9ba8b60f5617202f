public import Tensor

/// A matrix product with an optional bias: `x·Wᵀ + b` or, in GPT-2's layout, `x·W + b`.
public struct Linear: RowLayer, Sendable {
  public let weight: Parameter
  /// [outputs].
  public let bias: Parameter?
  public let layout: WeightLayout
  /// What is added to the result; nil where the scope adapts no layer of its name.
  public let adapter: LowRankAdapter?

  /// The layer whose parameters are `weight` of a scope, a decayed matrix, normal at the start, and, where `bias` is set,
  /// `bias`, undecayed and zero at the start.
  public init(
    _ scope: ParameterScope, inputs: Int, outputs: Int, bias: Bool, layout: WeightLayout = .outputByInput,
    standardDeviation: Float
  ) {
    weight = scope.parameter(
      "weight", shape: layout == .outputByInput ? [outputs, inputs] : [inputs, outputs], role: .decayed,
      initialization: .normal(standardDeviation: standardDeviation))
    self.bias =
      bias ? scope.parameter("bias", shape: [outputs], role: .undecayed, initialization: .zeros) : nil
    self.layout = layout
    adapter = scope.adapter(inputs: inputs, outputs: outputs)
  }

  /// `x` [rows, inputs] to [rows, outputs].
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    let y = tape.linear(x, weight, bias: bias, weightLayout: layout)
    guard let adapter else { return y }
    return tape.add(y, adapter(x, on: tape))
  }
}
