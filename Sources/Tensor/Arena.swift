import Glibc

/// Memory for the tensors of one step, handed out front to back and taken back all at once.
///
/// ``reset()`` keeps the blocks, and a step after the first that needs no more than the largest so far allocates nothing.
/// For one thread at a time.
@safe public final class Arena {
  @safe private struct Block {
    let base: UnsafeMutablePointer<Float>
    let capacity: Int
  }

  private static let smallestBlock = 1 << 20
  private var blocks: [Block] = []
  private var current = 0
  private var used = 0
  private var usedBefore = 0

  /// Largest number of bytes handed out between two resets.
  public private(set) var peakBytes = 0

  public init() {}

  deinit { for block in blocks { unsafe free(block.base) } }

  /// An uninitialised tensor, valid until the next ``reset()``.
  public func tensor(_ shape: [Int]) -> Tensor {
    // Whole cache lines, so that every tensor is aligned.
    let count = (max(shape.reduce(1, *), 1) + 15) / 16 * 16
    while current < blocks.count, used + count > blocks[current].capacity { advance() }
    if current == blocks.count {
      // Twice the memory so far: few blocks, of which the next reset makes one.
      let total = blocks.reduce(0) { $0 + $1.capacity }
      let capacity = max(count, total, Self.smallestBlock)
      blocks.append(unsafe Block(base: allocateFloats(capacity), capacity: capacity))
    }
    defer {
      used += count
      peakBytes = max(peakBytes, (usedBefore + used) * MemoryLayout<Float>.stride)
    }
    return unsafe Tensor(base: blocks[current].base + used, shape: shape)
  }

  /// A tensor of zeros, valid until the next ``reset()``.
  public func zeros(_ shape: [Int]) -> Tensor {
    let tensor = tensor(shape)
    tensor.fill(0)
    return tensor
  }

  /// Takes all tensors back; those handed out may no longer be used.
  public func reset() {
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
