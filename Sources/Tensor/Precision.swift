/// What numbers matrix products multiply. Whatever it is, sums, softmax, norms, losses, gradients and the optimizer are
/// fp32.
public enum Precision: String, Sendable, Equatable, CaseIterable, Codable {
  /// Operands as they are.
  case fp32
  /// Both operands rounded to bf16 (8 bits of mantissa; nearest, ties to even) where they enter a product; their
  /// products are exact and summed in fp32. Of attention's products the keys and values alone, so that a text means the
  /// same whether it is read at once or piece by piece from a cache that holds them in bf16.
  case bf16
}
