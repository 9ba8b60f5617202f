import Tensor

/// The rows of a head that count, for the products of chunks: laid out once where there are several chunks, since a chunk
/// has few rows and copying the head for each would cost a good part of its products.
struct HeadRows {
  private let weights: Weights
  private let precision: Precision

  init(_ head: Weights, vocabulary: Int, precision: Precision) {
    weights = head.rows(0..<vocabulary)
    self.precision = precision
  }

  /// A right operand as it lies, or laid out.
  enum Operand {
    case plain(Weights, transposed: Bool, Precision)
    case packed(PackedMatrix)

    func multiply(_ a: Tensor, into c: Tensor) {
      switch self {
      case .plain(let weights, let transposed, let precision):
        Gemm.multiply(a, weights, transposeB: transposed, into: c, precision: precision)
      case .packed(let matrix): Gemm.multiply(a, matrix, into: c)
      }
    }
  }

  /// For logits, `hidden * headᵀ`.
  func forward(chunks several: Bool, _ arena: Arena) -> Operand { operand(transposed: true, several, arena) }

  /// For gradients of hidden states, `gradient of logits * head`.
  func backward(chunks several: Bool, _ arena: Arena) -> Operand { operand(transposed: false, several, arena) }

  var forwardBytes: Int { PackedMatrix.bytes(weights, transposed: true, precision: precision) }
  var backwardBytes: Int { PackedMatrix.bytes(weights, transposed: false, precision: precision) }

  private func operand(transposed: Bool, _ several: Bool, _ arena: Arena) -> Operand {
    several && Engine.matrixLibrary == .decant
      ? .packed(PackedMatrix(weights, transposed: transposed, precision: precision, arena: arena))
      : .plain(weights, transposed: transposed, precision)
  }
}
