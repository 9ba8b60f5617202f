import Diagnostics
import Glibc

/// A row-major matrix of floats: a view of memory that belongs to an ``Arena`` or a ``Storage``, which it keeps alive.
///
/// A tensor of an arena may not be used once the arena is reset. Two threads may use a tensor at the same time only
/// where neither writes.
@safe public struct Tensor: @unchecked Sendable {
  // Sendable: a plain address and shape; whoever shares a tensor keeps writers apart, as `Engine.parallel` does.
  public let shape: [Int]
  /// The first element.
  public let base: UnsafeMutablePointer<Float>

  private let owner: AnyObject?

  /// A view of memory that lives as long as its owner; where that is nil, the caller keeps it alive.
  public init(base: UnsafeMutablePointer<Float>, shape: [Int], owner: AnyObject?) {
    unsafe self.base = base
    self.shape = shape
    self.owner = owner
  }

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// Length of the last dimension, 1 for a scalar.
  public var columns: Int { shape.last ?? 1 }

  /// Product of all dimensions but the last.
  public var rows: Int { shape.dropLast().reduce(1, *) }

  /// Some of the rows, as a view of shape `[range.count, columns]`.
  public func rows(_ range: Range<Int>) -> Tensor {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) are not within the \(rows) rows of \(shape)")
    return unsafe Tensor(base: base + range.lowerBound * columns, shape: [range.count, columns], owner: owner)
  }

  /// The same elements in another shape.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(
      shape.reduce(1, *) == count, "\(self.shape) cannot take the shape \(shape): another number of elements")
    return unsafe Tensor(base: base, shape: shape, owner: owner)
  }

  /// Some elements, counted from the first one, in a shape of their own.
  func part(at offset: Int, shape: [Int]) -> Tensor {
    precondition(offset >= 0 && offset + shape.reduce(1, *) <= count, "no \(shape) at \(offset) of \(self.shape)")
    return unsafe Tensor(base: base + offset, shape: shape, owner: owner)
  }

  /// The elements, copied.
  public func array() -> [Float] { unsafe Array(elements) }

  /// The elements in place.
  public var elements: UnsafeMutableBufferPointer<Float> {
    unsafe UnsafeMutableBufferPointer(start: base, count: count)
  }

  /// Overwrites all elements.
  public func copy(from values: [Float]) {
    precondition(values.count == count, "\(values.count) values do not fill the shape \(shape)")
    unsafe values.withUnsafeBufferPointer { unsafe base.update(from: $0.baseAddress!, count: count) }
  }

  /// Overwrites all elements with those of a tensor of the same shape.
  public func copy(from other: Tensor) {
    precondition(other.count == count, "\(other.shape) does not fill the shape \(shape)")
    unsafe base.update(from: other.base, count: count)
  }

  /// Overwrites all elements with one value.
  public func fill(_ value: Float) { unsafe base.update(repeating: value, count: count) }
}

/// Memory of its own for one tensor, zeroed, 64-byte aligned, freed when neither this object nor a tensor uses it.
public final class Storage: Sendable {
  private let memory: Memory
  private let shape: [Int]

  public init(shape: [Int]) {
    memory = Memory(count: shape.reduce(1, *))
    self.shape = shape
    tensor.fill(0)
  }

  public var tensor: Tensor { unsafe Tensor(base: memory.base, shape: shape, owner: memory) }
}

/// Uninitialised memory for `count` floats, 64-byte aligned so that no vector load crosses a cache line.
@safe final class Memory: @unchecked Sendable {
  // Sendable: an address; the tensors that share it keep writers apart.
  let base: UnsafeMutablePointer<Float>
  let count: Int

  private static let largePage = 2 << 20

  init(count: Int) {
    let wanted = max(count * MemoryLayout<Float>.stride, 64)
    // Large pages, where they are to be had: products walk through much memory in strides, and a small page's address is
    // looked up for a line or two.
    let large = wanted >= 4 * Self.largePage
    let alignment = large ? Self.largePage : 64
    let bytes = (wanted + alignment - 1) / alignment * alignment
    guard let memory = unsafe aligned_alloc(alignment, bytes) else {
      Diagnostic.failure(
        "memory ran out: \(bytes) bytes are not to be had for a tensor of \(count) numbers",
        remedy: Diagnostic.memoryRemedy
      ).endProcess()
    }
    if large { _ = unsafe madvise(memory, bytes, MADV_HUGEPAGE) }
    unsafe base = memory.bindMemory(to: Float.self, capacity: bytes / MemoryLayout<Float>.stride)
    self.count = count
  }

  deinit { unsafe free(base) }
}
