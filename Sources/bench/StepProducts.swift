import Tensor

/// The matrix products of a student30M step, forward and both backward, as calls on memory that is there already: what of
/// the step is products, and how fast they could be.
struct StepProducts {
  private static let hidden = 384, layers = 6
  /// Outputs and inputs of a block's four weights, which lie as GPT-2's do: `[input, output]`.
  private static let weights = [
    (3 * hidden, hidden), (hidden, hidden), (4 * hidden, hidden), (hidden, 4 * hidden),
  ]
  private let tokens: Int
  // Each as large as the largest operand needs; a product takes the front.
  private let input: Storage, weight: Storage, output: Storage

  init(tokens: Int) {
    self.tokens = tokens
    input = Storage(shape: [tokens * 4 * Self.hidden])
    weight = Storage(shape: [Shapes.vocabulary * Self.hidden])
    output = Storage(shape: [tokens * Shapes.vocabulary])
  }

  /// Runs them all once.
  ///
  /// - Parameter independentRows: True for the paths a step takes, where forward rows are independent of each other; false
  ///   for OpenBLAS throughout.
  func run(library: MatrixLibrary) {
    for _ in 0..<Self.layers {
      for (outputs, inputs) in Self.weights { block(outputs, inputs, library: library) }
    }
    head(library: library)
  }

  private func block(_ outputs: Int, _ inputs: Int, library: MatrixLibrary) {
    let x = Self.front(input, [tokens, inputs]), w = Self.front(weight, [inputs, outputs])
    let y = Self.front(output, [tokens, outputs])
    Gemm.multiply(x, w, into: y, library: library)
    Gemm.multiply(y, w, transposeB: true, into: x, library: library)
    Gemm.multiply(x, transposeA: true, y, into: w, library: library)
  }

  private func head(library: MatrixLibrary) {
    let x = Self.front(input, [tokens, Self.hidden]), w = Self.front(weight, [Shapes.vocabulary, Self.hidden])
    let y = Self.front(output, [tokens, Shapes.vocabulary])
    Gemm.multiply(x, w, transposeB: true, into: y, library: library)
    Gemm.multiply(y, w, into: x, library: library)
    Gemm.multiply(y, transposeA: true, x, into: w, library: library)
  }

  private static func front(_ storage: Storage, _ shape: [Int]) -> Tensor {
    let count = shape.reduce(1, *)
    return storage.tensor.reshaped([storage.tensor.count, 1]).rows(0..<count).reshaped(shape)
  }
}
