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

/// Scales each row to unit root mean square, then applies a gain by column (Zhang and Sennrich, arXiv 1910.07467). Where
/// the gain is shorter than a row, each group of as many columns is scaled by itself, such as the heads of queries (Qwen3,
/// arXiv 2505.09388).
public struct RMSNorm: RowLayer, Sendable {
  /// What the parameter says of the gain.
  public enum Gain: Sendable {
    /// The gain itself, 1 at the start.
    case whole
    /// How far it is from 1, 0 at the start (Gemma, arXiv 2403.08295).
    case fromOne
  }

  /// [width].
  public let gain: Parameter
  public let form: Gain
  public let epsilon: Float

  /// The layer whose parameter is `weight` of a scope, undecayed.
  public init(_ scope: ParameterScope, width: Int, epsilon: Float, gain form: Gain = .whole) {
    gain = scope.parameter(
      "weight", shape: [width], role: .undecayed, initialization: form == .whole ? .ones : .zeros)
    self.form = form
    self.epsilon = epsilon
  }

  /// `x` [rows, a multiple of width] to the same shape.
  public func callAsFunction(_ x: Variable, on tape: Tape) -> Variable {
    tape.rmsNorm(x, gain: gain, gainOffset: form == .whole ? 0 : 1, epsilon: epsilon)
  }
}
