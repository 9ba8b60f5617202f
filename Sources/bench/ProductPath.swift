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

  /// Computes it with a library.
  func run(_ library: MatrixLibrary, _ precision: Precision) {
    Gemm.multiply(
      a, transposeA: transposeA, b, transposeB: transposeB, into: c, accumulate: accumulate, precision: precision,
      library: library)
  }
}

/// A way of the engine to compute matrix products.
struct ProductPath: Sendable {
  var name: String
  var precision: Precision
  var run: @Sendable (MatrixProduct) -> Void

  /// Those that this machine has for a precision.
  static func all(_ precision: Precision) -> [ProductPath] {
    MatrixLibrary.available.filter { $0.supports(precision) }.map { library in
      ProductPath(name: library.rawValue, precision: precision) { $0.run(library, precision) }
    }
  }
}
