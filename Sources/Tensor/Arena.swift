/// Memory for the tensors of one step, handed out front to back and taken back all at once, or from a place on.
///
/// After the first step the memory is one block, and a step that needs no more than the largest so far allocates
/// nothing; ``reserve(bytes:)`` spares the first step the blocks too. For one thread at a time.
public final class Arena {
  private static let smallestBlock = 1 << 20

  /// How far the memory has been handed out.
  private struct Place {
    var block = 0
    /// Elements of that block, and of all blocks before it.
    var used = 0
    var usedBefore = 0
  }

  private var blocks: [Memory] = []
  private var place = Place()

  /// Largest number of bytes handed out at any one time.
  public private(set) var peakBytes = 0
  /// How often memory was asked of the system.
  public private(set) var allocations = 0

  public init() {}

  /// Bytes handed out and not taken back.
  public var usedBytes: Int { (place.usedBefore + place.used) * MemoryLayout<Float>.stride }

  /// Makes one block of at least so many bytes, so that a need known beforehand is met by one allocation. What of it is
  /// never handed out costs address space only.
  ///
  /// - Precondition: nothing is handed out.
  public func reserve(bytes: Int) {
    precondition(usedBytes == 0, "an arena that has handed out \(usedBytes) bytes cannot reserve \(bytes)")
    let count = (bytes + MemoryLayout<Float>.stride - 1) / MemoryLayout<Float>.stride
    if blocks.count > 1 || count > blocks.first?.count ?? 0 { replaceBlocks(count: count) }
  }

  /// An uninitialised tensor, valid until it is taken back.
  public func tensor(_ shape: [Int]) -> Tensor {
    // Whole cache lines, so that every tensor is aligned.
    let count = (max(shape.reduce(1, *), 1) + 15) / 16 * 16
    while place.block < blocks.count, place.used + count > blocks[place.block].count { advance() }
    if place.block == blocks.count {
      let total = blocks.reduce(0) { $0 + $1.count }
      append(count: max(count, total, Self.smallestBlock))
    }
    defer {
      place.used += count
      peakBytes = max(peakBytes, usedBytes)
    }
    return unsafe Tensor(base: blocks[place.block].base + place.used, shape: shape, owner: blocks[place.block])
  }

  /// A tensor of zeros, valid until it is taken back.
  public func zeros(_ shape: [Int]) -> Tensor {
    let tensor = tensor(shape)
    tensor.fill(0)
    return tensor
  }

  /// Takes back, when `body` ends, all that was handed out in it; none of that may be used afterwards.
  public func scratch<Result>(_ body: () throws -> Result) rethrows -> Result {
    let start = place
    defer { place = start }
    return try body()
  }

  /// Takes back all that was handed out in `body` but the tensor it gives, which is moved to the front of it.
  public func keepingResult(of body: () -> Tensor) -> Tensor {
    // The result's memory holds it until something else is written there, and the move may overlap it.
    let result = scratch(body)
    let kept = tensor(result.shape)
    kept.copy(from: result)
    return kept
  }

  /// Takes all tensors back; those handed out may no longer be used.
  public func reset() {
    place = Place()
    if blocks.count > 1 { replaceBlocks(count: peakBytes / MemoryLayout<Float>.stride) }
  }

  private func replaceBlocks(count: Int) {
    blocks = []  // the old ones go before the new one comes
    append(count: count)
  }

  private func append(count: Int) {
    blocks.append(Memory(count: count))
    allocations += 1
  }

  private func advance() {
    place.usedBefore += place.used
    place.block += 1
    place.used = 0
  }
}
