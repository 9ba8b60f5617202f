public import Tensor

/// Centres each row and scales it to unit variance, then applies a gain and a bias by column.
public struct LayerNorm: Sendable {
  public let gain: Parameter
  public let bias: Parameter
  public let epsilon: Float

  /// The layer whose parameters are `name.weight` and `name.bias`.
  public init(_ name: String, epsilon: Float, in parameters: ParameterBuffer) {
    gain = parameters["\(name).weight"]
    bias = parameters["\(name).bias"]
    self.epsilon = epsilon
  }

  /// What a `ParameterBuffer` must hold for the layer.
  public static func specifications(_ name: String, width: Int) -> [ParameterSpecification] {
    [
      ParameterSpecification(name: "\(name).weight", shape: [width], role: .undecayed, initialization: .ones),
      ParameterSpecification(name: "\(name).bias", shape: [width], role: .undecayed, initialization: .zeros),
    ]
  }

  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    tape.layerNorm(x, gain: gain, bias: bias, epsilon: epsilon)
  }
}

/// Scales each row to unit root mean square, then applies a gain by column (Zhang and Sennrich, arXiv 1910.07467).
public struct RMSNorm: Sendable {
  public let gain: Parameter
  public let epsilon: Float

  /// The layer whose parameter is `name.weight`.
  public init(_ name: String, epsilon: Float, in parameters: ParameterBuffer) {
    gain = parameters["\(name).weight"]
    self.epsilon = epsilon
  }

  /// What a `ParameterBuffer` must hold for the layer.
  public static func specifications(_ name: String, width: Int) -> [ParameterSpecification] {
    [ParameterSpecification(name: "\(name).weight", shape: [width], role: .undecayed, initialization: .ones)]
  }

  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    tape.rmsNorm(x, gain: gain, epsilon: epsilon)
  }
}
