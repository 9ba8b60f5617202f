import CKernels
import COpenBLAS

/// Matrix products.
///
/// Each is cut into panels of the result by its shape alone, so the result does not depend on the number of threads;
/// the inner dimension is never cut. Two engines compute the panels:
///
/// - a kernel of our own for products whose rows must be independent: a row of the result has the same bits whatever
///   the other rows are and however many there are. OpenBLAS gives no such promise: it chooses its loops by shape, and
///   its loops round differently.
/// - OpenBLAS, in single-threaded calls, for the others, such as the gradients of weights, which are sums over rows.
public enum Gemm {
  /// `c = alpha * op(a) * op(b)`, added to c where `accumulate` says so, where op transposes when asked.
  ///
  /// Tensors count as matrices of `rows` times `columns`.
  ///
  /// - Parameter independentRows: Whether a row of the result may not depend on the other rows of a. Ignored where a is
  ///   transposed, since every row then depends on all rows of a.
  public static func multiply(
    _ a: Tensor, transposeA: Bool = false, _ b: Tensor, transposeB: Bool = false, into c: Tensor, alpha: Float = 1,
    accumulate: Bool = false, independentRows: Bool = true
  ) {
    let rows = transposeA ? a.columns : a.rows
    let inner = transposeA ? a.rows : a.columns
    let columns = transposeB ? b.rows : b.columns
    precondition(
      inner == (transposeB ? b.columns : b.rows) && c.rows == rows && c.columns == columns,
      "cannot multiply \(a.shape)\(transposeA ? " transposed" : "") by \(b.shape)\(transposeB ? " transposed" : "") into \(c.shape)"
    )
    unsafe multiply(
      Operand(base: a.base, stride: a.columns, transposed: transposeA),
      Operand(base: b.base, stride: b.columns, transposed: transposeB), into: c.base, strideC: c.columns,
      rows: rows, columns: columns, inner: inner, alpha: alpha, accumulate: accumulate,
      independentRows: independentRows && !transposeA)
  }

  /// A matrix in memory: element (row, column) lies at `row * stride + column`, before it is transposed.
  @safe struct Operand {
    var base: UnsafePointer<Float>
    var stride: Int
    var transposed = false

    init(base: UnsafePointer<Float>, stride: Int, transposed: Bool = false) {
      unsafe self.base = base
      self.stride = stride
      self.transposed = transposed
    }

    init(base: UnsafeMutablePointer<Float>, stride: Int, transposed: Bool = false) {
      unsafe self.init(base: UnsafePointer(base), stride: stride, transposed: transposed)
    }

    var transpose: Operand { unsafe Operand(base: base, stride: stride, transposed: !transposed) }

    /// The matrix without its first rows (after transposition).
    func skippingRows(_ count: Int) -> Operand {
      unsafe Operand(base: base + count * (transposed ? 1 : stride), stride: stride, transposed: transposed)
    }

    /// The matrix without its first columns (after transposition).
    func skippingColumns(_ count: Int) -> Operand {
      unsafe Operand(base: base + count * (transposed ? stride : 1), stride: stride, transposed: transposed)
    }
  }

  private static func multiply(
    _ a: Operand, _ b: Operand, into c: UnsafeMutablePointer<Float>, strideC: Int, rows: Int, columns: Int, inner: Int,
    alpha: Float, accumulate: Bool, independentRows: Bool
  ) {
    guard rows > 0, columns > 0 else { return }
    let panels = Panels(rows: rows, columns: columns, inner: inner)
    Engine.parallel(panels.count) { task in
      let (rowRange, columnRange) = panels[task]
      let a = a.skippingRows(rowRange.lowerBound)
      let b = b.skippingColumns(columnRange.lowerBound)
      let c = unsafe c + rowRange.lowerBound * strideC + columnRange.lowerBound
      if independentRows {
        unsafe kernels.product(
          c, strideC, a.base, a.stride, b.base, b.stride, b.transposed ? 1 : 0, rowRange.count, columnRange.count,
          inner, alpha, accumulate ? 1 : 0)
      } else {
        unsafe single(
          a, b, into: c, strideC: strideC, rows: rowRange.count, columns: columnRange.count, inner: inner, alpha: alpha,
          accumulate: accumulate)
      }
    }
  }

  /// One call of OpenBLAS on the calling thread, for products inside a task.
  static func single(
    _ a: Operand, _ b: Operand, into c: UnsafeMutablePointer<Float>, strideC: Int, rows: Int, columns: Int, inner: Int,
    alpha: Float = 1, accumulate: Bool = false
  ) {
    unsafe openBLASMultiply(
      a.transposed ? 1 : 0, b.transposed ? 1 : 0, Int32(rows), Int32(columns), Int32(inner), alpha, a.base,
      Int32(a.stride), b.base, Int32(b.stride), accumulate ? 1 : 0, c, Int32(strideC))
  }

  /// How a result is cut: along its longer side, into panels of whole cache lines that are worth a task each.
  struct Panels {
    let rows: Int, columns: Int
    let alongColumns: Bool
    let width: Int
    let count: Int

    /// Below this many multiply-adds a product is one call: waking a thread would cost as much.
    static let worthATask = 1 << 20
    static let most = 64

    init(rows: Int, columns: Int, inner: Int) {
      self.rows = rows
      self.columns = columns
      alongColumns = columns >= rows
      let side = max(rows, columns)
      let work = rows * columns * inner
      let wanted = min(max(work / Self.worthATask, 1), Self.most)
      // At least 64 wide, so that packing the other operand anew for each panel stays a small part of the work.
      width = max((side + wanted - 1) / wanted + 15, 64) / 16 * 16
      count = (side + width - 1) / width
    }

    subscript(task: Int) -> (rows: Range<Int>, columns: Range<Int>) {
      let side = alongColumns ? columns : rows
      let range = task * width..<min((task + 1) * width, side)
      return alongColumns ? (0..<rows, range) : (range, 0..<columns)
    }
  }
}
