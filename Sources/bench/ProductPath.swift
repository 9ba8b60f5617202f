import Tensor

/// One matrix product of a model's work, on memory that is there already.
struct MatrixProduct {
  var a: Tensor
  var transposeA = false
  var b: Tensor
  var transposeB = false
  var c: Tensor
  var accumulate = false
  /// Products of one kind have the same shapes, and are timed together.
  var kind: Int

  /// Computes it with the engine's fp32 product.
  func run(independentRows: Bool) {
    Gemm.multiply(
      a, transposeA: transposeA, b, transposeB: transposeB, into: c, accumulate: accumulate,
      independentRows: independentRows)
  }
}

/// A way of the engine to compute matrix products.
struct ProductPath: Sendable {
  var name: String
  var precision: Precision
  var run: @Sendable (MatrixProduct) -> Void

  /// Every way there is, a line each.
  private static let all = [
    // Sums over rows, as for the gradients of weights, go to OpenBLAS on this path too.
    ProductPath(name: "own kernel", precision: .fp32) { $0.run(independentRows: true) },
    ProductPath(name: "OpenBLAS", precision: .fp32) { $0.run(independentRows: false) },
  ]

  /// Those that compute in a precision.
  static func all(_ precision: Precision) -> [ProductPath] { all.filter { $0.precision == precision } }
}
