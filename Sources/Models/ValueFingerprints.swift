import Fingerprints
import Tensor

// Fingerprints of weights are those of their values in fp32, whatever they are held in.

extension Fingerprint {
  /// Of a tensor's elements.
  init(ofValues tensor: Tensor) { unsafe self.init(of: UnsafeRawBufferPointer(tensor.elements)) }
}

extension BFloat16Matrix {
  /// Elements that are widened at a time: few enough for a cache of the second level.
  private static let pieceElements = 1 << 16

  /// Hands out the elements as fp32, some rows at a time and in order, with the flat index of the first.
  func forPieces(_ body: (_ piece: Tensor, _ first: Int) throws -> Void) rethrows {
    let step = max(Self.pieceElements / max(columns, 1), 1)
    let piece = Storage(shape: [min(step, rows), columns])
    for start in stride(from: 0, to: rows, by: step) {
      let range = start..<min(start + step, rows)
      widen(rows: range, into: piece.tensor)
      try body(piece.tensor.rows(0..<range.count), start * columns)
    }
  }

  /// Of the elements as fp32.
  var fingerprint: Fingerprint {
    let stream = FingerprintStream()
    forPieces { piece, _ in unsafe stream.append(UnsafeRawBufferPointer(piece.elements)) }
    return stream.fingerprint
  }
}
