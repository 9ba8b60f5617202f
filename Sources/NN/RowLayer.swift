public import Tensor

/// A layer that works row by row: a projection, a norm, a feed-forward layer.
public protocol RowLayer {
  /// `x` [rows, inputs] to [rows, outputs].
  func callAsFunction(_ x: Variable, on tape: Tape) -> Variable
}
