import Glibc

/// A row-major matrix of floats that somebody else owns: an ``Arena``, a ``Storage`` or a ``ParameterBuffer``.
///
/// A tensor is a view. It may not be used after its owner is gone or, for an arena, reset; and two threads may use it at
/// the same time only where neither writes.
@safe public struct Tensor: @unchecked Sendable {
  // Sendable: a plain address and shape; whoever shares a tensor keeps writers apart, as `Engine.parallel` does.
  public let shape: [Int]
  /// The first element.
  public let base: UnsafeMutablePointer<Float>

  /// A view of memory that the caller keeps alive.
  public init(base: UnsafeMutablePointer<Float>, shape: [Int]) {
    unsafe self.base = base
    self.shape = shape
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
    return unsafe Tensor(base: base + range.lowerBound * columns, shape: [range.count, columns])
  }

  /// The same elements in another shape.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == count, "\(self.shape) cannot take the shape \(shape): another number of elements")
    return unsafe Tensor(base: base, shape: shape)
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

/// Memory of its own for one tensor, zeroed, 64-byte aligned, freed with this object.
public final class Storage: Sendable {
  public let tensor: Tensor

  public init(shape: [Int]) {
    tensor = unsafe Tensor(base: allocateFloats(shape.reduce(1, *)), shape: shape)
    tensor.fill(0)
  }

  deinit { unsafe free(tensor.base) }
}

/// Uninitialised memory for `count` floats, 64-byte aligned so that no vector load crosses a cache line; for `free`.
func allocateFloats(_ count: Int) -> UnsafeMutablePointer<Float> {
  let bytes = max((count * MemoryLayout<Float>.stride + 63) / 64 * 64, 64)
  guard let memory = unsafe aligned_alloc(64, bytes) else {
    fatalError("no memory for \(bytes) bytes; use a smaller batch or a smaller model")
  }
  return unsafe memory.bindMemory(to: Float.self, capacity: bytes / MemoryLayout<Float>.stride)
}
