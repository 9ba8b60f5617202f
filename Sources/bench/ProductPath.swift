import Tensor

/// One matrix product of a model's work, on memory that is there already.
struct MatrixProduct {
  var a: Tensor
  var transposeA = false
  var b: Tensor
  var transposeB = false
  var c: Tensor
  var accumulate = false
  /// The right operand laid out beforehand, where the work does so.
  var laidOut: PackedMatrix?
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

  /// The engine's own, with weights that were laid out before.
  static func laidOut(_ precision: Precision) -> ProductPath {
    ProductPath(name: "weights laid out before", precision: precision) {
      Gemm.multiply($0.a, $0.laidOut!, into: $0.c)
    }
  }

  /// Those that this machine has for a precision.
  static func all(_ precision: Precision) -> [ProductPath] {
    MatrixLibrary.available.filter { $0.supports(precision) }.map { library in
      ProductPath(name: library.rawValue, precision: precision) { $0.run(library, precision) }
    }
  }
}
