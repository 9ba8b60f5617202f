public import Tensor

/// Centres each row and scales it to unit variance, then applies a gain and a bias by column.
public struct LayerNorm: RowLayer, Sendable {
  /// [width], as the bias.
  public let gain: Parameter
  public let bias: Parameter
  public let epsilon: Float

  /// The layer whose parameters are `weight` and `bias` of a scope: undecayed, ones and zeros at the start.
  public init(_ scope: ParameterScope, width: Int, epsilon: Float) {
    gain = scope.parameter("weight", shape: [width], role: .undecayed, initialization: .ones)
    bias = scope.parameter("bias", shape: [width], role: .undecayed, initialization: .zeros)
    self.epsilon = epsilon
  }

  /// `x` [rows, width] to the same shape.
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    tape.layerNorm(x, gain: gain, bias: bias, epsilon: epsilon)
  }
}

/// Scales each row to unit root mean square, then applies a gain by column (Zhang and Sennrich, arXiv 1910.07467).
public struct RMSNorm: RowLayer, Sendable {
  /// [width].
  public let gain: Parameter
  public let epsilon: Float

  /// The layer whose parameter is `weight` of a scope: undecayed, ones at the start.
  public init(_ scope: ParameterScope, width: Int, epsilon: Float) {
    gain = scope.parameter("weight", shape: [width], role: .undecayed, initialization: .ones)
    self.epsilon = epsilon
  }

  /// `x` [rows, width] to the same shape.
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    tape.rmsNorm(x, gain: gain, epsilon: epsilon)
  }
}
