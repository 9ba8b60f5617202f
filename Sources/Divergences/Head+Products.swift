import CKernels
import Tensor

/// The products of a head with chunks of rows. It is laid out once where there are several chunks, since a chunk has few
/// rows and copying the head for each would cost a good part of its products.
extension Head {
  /// A right operand as it lies, or laid out.
  enum Operand {
    case plain(Weights, transposed: Bool, Precision)
    case packed(PackedMatrix)

    /// `c = a * operand`, overwritten.
    func multiply(_ a: Tensor, into c: Tensor) {
      switch self {
      case .plain(let weights, let transposed, let precision):
        Gemm.multiply(a, weights, transposeB: transposed, into: c, precision: precision)
      case .packed(let matrix): Gemm.multiply(a, matrix, into: c)
      }
    }
  }

  /// For logits, `[rows, hidden size] * weightsᵀ = [rows, vocabulary]`.
  func forward(chunks several: Bool, _ arena: Arena) -> Operand {
    if several, let laidOut { return .packed(laidOut) }
    return operand(transposed: true, several, arena)
  }

  /// For gradients of hidden states, `[rows, vocabulary] * weights = [rows, hidden size]`.
  func backward(chunks several: Bool, _ arena: Arena) -> Operand { operand(transposed: false, several, arena) }

  /// Bytes that ``forward(chunks:_:)`` takes of the arena where there are several chunks.
  var forwardBytes: Int { PackedMatrix.bytes(weights, transposed: true, precision: precision) }
  /// Bytes that ``backward(chunks:_:)`` takes of the arena where there are several chunks.
  var backwardBytes: Int { PackedMatrix.bytes(weights, transposed: false, precision: precision) }

  private func operand(transposed: Bool, _ several: Bool, _ arena: Arena) -> Operand {
    several && Engine.matrixLibrary == .decant
      ? .packed(PackedMatrix(weights, transposed: transposed, precision: precision, arena: arena))
      : .plain(weights, transposed: transposed, precision)
  }
}

/// Soft caps of a row of logits.
extension Head {
  /// In place: a row of products, `[vocabulary]`, to logits.
  func cap(_ row: UnsafeMutablePointer<Float>) {
    if let softCap { unsafe tensorKernels().pointee.softCap(row, vocabulary, 1, softCap) }
  }

  /// Hands a row of products to `body` as logits. Where it leaves their gradient in place, that becomes the gradient by
  /// the products.
  func capping<Result>(
    _ row: UnsafeMutablePointer<Float>, gradient: Bool, _ body: (UnsafeMutablePointer<Float>) -> Result
  ) -> Result {
    unsafe cap(row)
    guard let softCap, gradient else { return unsafe body(row) }
    return unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: vocabulary) { capped in
      let capped = capped.baseAddress!
      unsafe capped.update(from: row, count: vocabulary)
      let result = unsafe body(row)
      unsafe tensorKernels().pointee.softCapBackward(row, capped, vocabulary, 1, softCap)
      return result
    }
  }
}
