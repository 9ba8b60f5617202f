import CKernels

/// Memory for the keys, or for the values, of several texts in one layer: rows of `columns` elements, up to `capacity`
/// of them for each head of a text. What a head of a text holds lies in one piece, since attention to it reads just that.
public struct CachedLayer: Sendable {
  public let texts: Int
  public let heads: Int
  public let capacity: Int
  public let columns: Int
  /// How elements are kept: as floats, or as the nearest bf16.
  public let precision: Precision
  /// As many 32-bit words as all elements take.
  private let memory: Tensor

  /// Memory that nothing is written to yet, lent by an arena until that is reset.
  public init(texts: Int, heads: Int, capacity: Int, columns: Int, precision: Precision, arena: Arena) {
    (self.texts, self.heads, self.capacity, self.columns) = (texts, heads, capacity, columns)
    self.precision = precision
    let bytes = Self.bytes(texts: texts, heads: heads, capacity: capacity, columns: columns, precision: precision)
    memory = arena.tensor([bytes / MemoryLayout<Float>.stride])
  }

  /// What the memory of such a layer takes.
  public static func bytes(texts: Int, heads: Int, capacity: Int, columns: Int, precision: Precision) -> Int {
    let elements = texts * heads * capacity * columns
    let word = MemoryLayout<Float>.stride
    return precision == .fp32 ? elements * word : (elements + 1) / 2 * word
  }

  /// The first `length` rows of each head of a text. The last of them may be yet to be written.
  public func rows(text: Int, length: Int) -> CachedRows {
    precondition((0..<texts).contains(text), "there is no text \(text) among \(texts)")
    precondition(length <= capacity, "\(length) rows of a head do not fit its \(capacity)")
    return CachedRows(layer: self, text: text, length: length)
  }

  fileprivate func floats(text: Int, head: Int) -> UnsafeMutablePointer<Float> {
    unsafe memory.base + (text * heads + head) * capacity * columns
  }

  fileprivate func bf16(text: Int, head: Int) -> UnsafeMutablePointer<UInt16> {
    let base = unsafe UnsafeMutableRawPointer(memory.base).assumingMemoryBound(to: UInt16.self)
    return unsafe base + (text * heads + head) * capacity * columns
  }
}

/// The keys or the values of one text in one layer, head after head.
public struct CachedRows: Sendable {
  let layer: CachedLayer
  let text: Int
  /// Rows of each head that are there.
  let length: Int

  /// The rows of a head, in the type they are kept in.
  @safe enum Head {
    case fp32(UnsafeMutablePointer<Float>)
    case bf16(UnsafeMutablePointer<UInt16>)
  }

  func head(_ head: Int) -> Head {
    switch layer.precision {
    case .fp32: unsafe .fp32(layer.floats(text: text, head: head))
    case .bf16: unsafe .bf16(layer.bf16(text: text, head: head))
    }
  }

  /// Writes a head's part of the last rows: some rows of [rows, heads * columns].
  func write(head: Int, of new: Tensor, rows range: Range<Int>) {
    let (d, start) = (layer.columns, length - range.count)
    for (index, row) in range.enumerated() {
      let source = unsafe new.base + row * new.columns + head * d
      switch self.head(head) {
      case .fp32(let base): unsafe (base + (start + index) * d).update(from: source, count: d)
      case .bf16(let base): unsafe kernels.toBF16(base + (start + index) * d, source, d)
      }
    }
  }

  /// The rows of a head as floats, which those in bf16 are widened to in the thread's memory, for this task alone.
  func operand(_ head: Int) -> Gemm.Operand {
    switch self.head(head) {
    case .fp32(let base): return unsafe Gemm.Operand(base: base, stride: layer.columns)
    case .bf16(let base):
      let floats = unsafe TaskProduct.scratch(.block, length * layer.columns)
      unsafe kernels.fromBF16(floats, base, length * layer.columns)
      return unsafe Gemm.Operand(base: floats, stride: layer.columns)
    }
  }
}
