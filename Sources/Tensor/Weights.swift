import CKernels

/// A row-major matrix in bf16, kept alive by its owner: weights that are only read, such as a teacher's.
@safe public struct BFloat16Matrix: @unchecked Sendable {
  // Sendable: an address that nobody writes to once it is shared.
  public let rows: Int
  public let columns: Int
  let base: UnsafePointer<UInt16>
  private let owner: AnyObject?

  /// A view of memory that lives as long as its owner, such as a mapped file.
  public init(base: UnsafePointer<UInt16>, rows: Int, columns: Int, owner: AnyObject?) {
    unsafe self.base = base
    self.rows = rows
    self.columns = columns
    self.owner = owner
  }

  /// The nearest bf16 to each element, in memory of its own.
  public init(rounding tensor: Tensor) {
    let memory = Memory(count: (tensor.count + 1) / 2)
    let bf16 = unsafe UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: UInt16.self)
    Engine.parallel(count: tensor.count, grain: elementGrain) { range in
      unsafe kernels.toBF16(bf16 + range.lowerBound, tensor.base + range.lowerBound, range.count)
    }
    unsafe self.init(base: bf16, rows: tensor.rows, columns: tensor.columns, owner: memory)
  }

  /// The bits of all elements in row-major order, alive as long as this matrix.
  public var elements: UnsafeBufferPointer<UInt16> { unsafe UnsafeBufferPointer(start: base, count: rows * columns) }

  /// Some of the rows, as a view.
  public func rows(_ range: Range<Int>) -> BFloat16Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) are not within the \(rows) rows")
    return unsafe BFloat16Matrix(
      base: base + range.lowerBound * columns, rows: range.count, columns: columns, owner: owner)
  }

  /// Writes one row as floats.
  func copyRow(_ row: Int, to floats: UnsafeMutablePointer<Float>) {
    unsafe kernels.fromBF16(floats, base + row * columns, columns)
  }

  /// Writes some rows as floats, one after the other, into a tensor of at least so many elements.
  package func widen(rows range: Range<Int>, into floats: Tensor) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= rows && range.count * columns <= floats.count,
      "rows \(range) of \(rows) do not go into \(floats.shape)")
    unsafe kernels.fromBF16(floats.base, base + range.lowerBound * columns, range.count * columns)
  }

  /// The elements as fp32, which holds them exactly, in memory of their own.
  public func widened() -> Storage {
    let storage = Storage(shape: [rows, columns])
    for row in 0..<rows { unsafe copyRow(row, to: storage.tensor.base + row * columns) }
    return storage
  }
}

/// A matrix of weights as it lies in memory.
public enum Weights: Sendable {
  case fp32(Tensor)
  case bf16(BFloat16Matrix)

  public var rows: Int {
    switch self {
    case .fp32(let tensor): tensor.rows
    case .bf16(let matrix): matrix.rows
    }
  }

  public var columns: Int {
    switch self {
    case .fp32(let tensor): tensor.columns
    case .bf16(let matrix): matrix.columns
    }
  }

  public var bytes: Int {
    switch self {
    case .fp32(let tensor): tensor.count * MemoryLayout<Float>.stride
    case .bf16(let matrix): matrix.rows * matrix.columns * MemoryLayout<UInt16>.stride
    }
  }

  /// The nearest bf16 to each element; itself where it is in bf16.
  var rounded: Weights {
    switch self {
    case .fp32(let tensor): .bf16(BFloat16Matrix(rounding: tensor))
    case .bf16: self
    }
  }

  /// Some of the rows, as a view.
  public func rows(_ range: Range<Int>) -> Weights {
    switch self {
    case .fp32(let tensor): .fp32(tensor.rows(range))
    case .bf16(let matrix): .bf16(matrix.rows(range))
    }
  }

  /// Writes one row as floats, the elements of `floats`.
  public func copyRow(_ row: Int, to floats: Tensor) {
    precondition(floats.count == columns, "a row of \(columns) does not fill \(floats.shape)")
    unsafe copyRow(row, to: floats.base)
  }

  func copyRow(_ row: Int, to floats: UnsafeMutablePointer<Float>) {
    switch self {
    case .fp32(let tensor): unsafe floats.update(from: tensor.base + row * tensor.columns, count: tensor.columns)
    case .bf16(let matrix): unsafe matrix.copyRow(row, to: floats)
    }
  }
}
