/// Memory for the tensors of one step, handed out front to back and taken back all at once.
///
/// After the first step the memory is one block, and a step that needs no more than the largest so far allocates
/// nothing. For one thread at a time.
public final class Arena {
  private static let smallestBlock = 1 << 20
  private var blocks: [Memory] = []
  private var current = 0
  private var used = 0
  private var usedBefore = 0

  /// Largest number of bytes handed out between two resets.
  public private(set) var peakBytes = 0

  public init() {}

  /// An uninitialised tensor, valid until the next ``reset()``.
  public func tensor(_ shape: [Int]) -> Tensor {
    // Whole cache lines, so that every tensor is aligned.
    let count = (max(shape.reduce(1, *), 1) + 15) / 16 * 16
    while current < blocks.count, used + count > blocks[current].count { advance() }
    if current == blocks.count {
      let total = blocks.reduce(0) { $0 + $1.count }
      blocks.append(Memory(count: max(count, total, Self.smallestBlock)))
    }
    defer {
      used += count
      peakBytes = max(peakBytes, (usedBefore + used) * MemoryLayout<Float>.stride)
    }
    return unsafe Tensor(base: blocks[current].base + used, shape: shape, owner: blocks[current])
  }

  /// A tensor of zeros, valid until the next ``reset()``.
  public func zeros(_ shape: [Int]) -> Tensor {
    let tensor = tensor(shape)
    tensor.fill(0)
    return tensor
  }

  /// Takes all tensors back; those handed out may no longer be used.
  public func reset() {
    if blocks.count > 1 {
      blocks = []  // the old ones go before the new one comes
      blocks = [Memory(count: peakBytes / MemoryLayout<Float>.stride)]
    }
    current = 0
    used = 0
    usedBefore = 0
  }

  private func advance() {
    usedBefore += used
    current += 1
    used = 0
  }
}
