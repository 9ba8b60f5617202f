import CKernels

/// Matrix products.
///
/// Every element of a result is the same arithmetic wherever it stands, in the engine's own kernels: a row has the same
/// bits whatever the other rows are and however many there are, and the result does not depend on the number of threads
/// or on how the work was cut. Another ``MatrixLibrary`` gives no such promise.
public enum Gemm {
  /// `c = alpha * op(a) * op(b) + bias`, added to c where `accumulate` says so, where op transposes when asked.
  ///
  /// Tensors count as matrices of `rows` times `columns`.
  ///
  /// - Parameters:
  ///   - bias: One value a column of c, added to every row.
  ///   - precision: What the operands are rounded to; fp32 leaves them.
  ///   - library: What computes it; nil for the one the engine was configured with.
  public static func multiply(
    _ a: Tensor, transposeA: Bool = false, _ b: Tensor, transposeB: Bool = false, into c: Tensor, bias: Tensor? = nil,
    alpha: Float = 1, accumulate: Bool = false, precision: Precision = .fp32, library: MatrixLibrary? = nil
  ) {
    multiply(
      a, transposeA: transposeA, .fp32(b), transposeB: transposeB, into: c, bias: bias, alpha: alpha,
      accumulate: accumulate, precision: precision, library: library)
  }

  /// The same with weights as the right operand. Weights in bf16 make it a product in bf16, whatever `precision` says.
  public static func multiply(
    _ a: Tensor, transposeA: Bool = false, _ b: Weights, transposeB: Bool = false, into c: Tensor, bias: Tensor? = nil,
    alpha: Float = 1, accumulate: Bool = false, precision: Precision = .fp32, library: MatrixLibrary? = nil
  ) {
    let product = Product(a, transposed: transposeA, into: c, bias: bias, alpha: alpha, accumulate: accumulate)
    let (inner, columns) = transposeB ? (b.columns, b.rows) : (b.rows, b.columns)
    product.check(inner: inner, columns: columns)
    let format = PanelFormat(precision, b)
    let library = library ?? Engine.matrixLibrary(for: format == .bf16 ? .bf16 : .fp32)
    if library == .decant {
      product.multiply(Factor(b, transposed: transposeB), format: format)
    } else {
      product.multiply(b, transposed: transposeB, precision: precision, with: library)
    }
  }

  /// The same with a right operand that was laid out before.
  public static func multiply(
    _ a: Tensor, _ b: PackedMatrix, into c: Tensor, bias: Tensor? = nil, alpha: Float = 1, accumulate: Bool = false
  ) {
    let product = Product(a, transposed: false, into: c, bias: bias, alpha: alpha, accumulate: accumulate)
    product.check(inner: b.inner, columns: b.columns)
    product.multiply(b.panels)
  }

  /// Inner elements whose products are summed before the sum is added to the result: what a panel's part in the
  /// first-level cache holds, beside rows of the left operand. A multiple of 2, for bf16.
  static func chunk(inner: Int) -> Int { inner <= 384 ? max(inner, 1) : 256 }

  /// A matrix of floats in memory: element (row, column) lies at `row * stride + column`, before it is transposed.
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

    /// The matrix without its first rows and columns (after transposition).
    func skipping(rows: Int, columns: Int) -> Operand {
      unsafe Operand(
        base: base + (transposed ? columns * stride + rows : rows * stride + columns), stride: stride,
        transposed: transposed)
    }
  }

  /// A factor of a product in memory, in either type.
  @safe enum Factor {
    case fp32(Operand)
    case bf16(base: UnsafePointer<UInt16>, stride: Int, transposed: Bool)

    init(_ w: Weights, transposed: Bool) {
      switch w {
      case .fp32(let tensor):
        unsafe self = .fp32(Operand(base: tensor.base, stride: tensor.columns, transposed: transposed))
      case .bf16(let matrix):
        unsafe self = .bf16(base: matrix.base, stride: matrix.columns, transposed: transposed)
      }
    }

    /// The matrix without its first rows and columns (after transposition).
    func skipping(rows: Int, columns: Int) -> Factor {
      switch self {
      case .fp32(let operand): .fp32(operand.skipping(rows: rows, columns: columns))
      case .bf16(let base, let stride, let transposed):
        unsafe .bf16(
          base: base + (transposed ? columns * stride + rows : rows * stride + columns), stride: stride,
          transposed: transposed)
      }
    }
  }
}

/// A product but for its right operand.
struct Product {
  let left: Tensor
  let a: Gemm.Operand
  let rows: Int
  let inner: Int
  let c: Tensor
  let bias: Tensor?
  let alpha: Float
  let accumulate: Bool

  init(_ a: Tensor, transposed: Bool, into c: Tensor, bias: Tensor?, alpha: Float, accumulate: Bool) {
    left = a
    unsafe self.a = Gemm.Operand(base: a.base, stride: a.columns, transposed: transposed)
    (rows, inner) = transposed ? (a.columns, a.rows) : (a.rows, a.columns)
    (self.c, self.bias, self.alpha, self.accumulate) = (c, bias, alpha, accumulate)
  }

  func check(inner: Int, columns: Int) {
    precondition(
      inner == self.inner && c.rows == rows && c.columns == columns,
      "cannot multiply [\(rows), \(self.inner)] by [\(inner), \(columns)] into \(c.shape)")
    precondition(
      bias.map { $0.count == columns } ?? true, "a bias of \(bias?.count ?? 0) values for \(columns) columns")
  }

  /// Lays out the right operand a piece at a time, small enough for the last-level cache, each followed by its products.
  func multiply(_ right: Gemm.Factor, format: PanelFormat) {
    guard rows > 0, c.columns > 0 else { return }
    let pieceRows = min(max(inner, 1), Self.longestPiece)
    let width = PanelFormat.panelColumns
    let pieceColumns = max(Self.pieceWords / pieceRows / width, 1) * width
    let scratch = unsafe poolScratch(
      6, format.words(inner: pieceRows, columns: min(pieceColumns, (c.columns + width - 1) / width * width)))
    let panels = unsafe PackedPanels(base: scratch, inner: pieceRows, format: format)
    for column in stride(from: 0, to: c.columns, by: pieceColumns) {
      let columnRange = column..<min(column + pieceColumns, c.columns)
      for row in stride(from: 0, to: max(inner, 1), by: pieceRows) {
        let rowRange = row..<min(row + pieceRows, inner)
        panels.fill(right, rows: rowRange, columns: columnRange)
        multiply(panels, columns: columnRange, inner: rowRange)
      }
    }
  }

  /// With the whole right operand laid out.
  func multiply(_ panels: PackedPanels) {
    guard rows > 0, c.columns > 0 else { return }
    multiply(panels, columns: 0..<c.columns, inner: 0..<inner)
  }

  /// Rows of a piece: whole chunks.
  private static let longestPiece = 8192
  private static let pieceWords = 1 << 22
  /// Below this many multiply-adds a product is one task: waking a thread would cost as much.
  private static let worthATask = 1 << 20
  /// Rows that a kernel copies at a time, and columns for which that is worth it.
  private static let blockRows = 144, fewestColumns = 128

  /// Adds the products with some rows of the right operand, whose panels begin at a column, to those columns of c.
  private func multiply(_ panels: PackedPanels, columns: Range<Int>, inner part: Range<Int>) {
    let cut = Cut(rows: rows, columns: columns.count, inner: part.count)
    Engine.parallel(cut.count) { task in
      let (rowRange, columnRange) = cut[task]
      let left = a.skipping(rows: rowRange.lowerBound, columns: part.lowerBound)
      let column = columns.lowerBound + columnRange.lowerBound
      let target = unsafe c.base + rowRange.lowerBound * c.columns + column
      let bias = unsafe part.lowerBound == 0 ? self.bias.map { unsafe UnsafePointer($0.base + column) } : nil
      let adds: Int32 = accumulate || part.lowerBound > 0 ? 1 : 0
      let panel = unsafe panels.panel(columnRange.lowerBound)
      switch panels.format {
      case .fp32:
        unsafe kernels.productOfPanels(
          target, c.columns, bias, left.base, left.stride, left.transposed ? 1 : 0, panel, panels.inner, rowRange.count,
          columnRange.count, part.count, Gemm.chunk(inner: inner), alpha, adds)
      case .bf16:
        unsafe kernels.productOfPanelsBF16(
          target, c.columns, bias, left.base, left.stride, left.transposed ? 1 : 0, PackedPanels.words(panel),
          panels.inner, rowRange.count, columnRange.count, part.count, Gemm.chunk(inner: inner), alpha, adds)
      }
    }
  }

  /// How a result is shared out: blocks of rows, and of columns too where there are few rows. No element depends on it,
  /// so it may follow the number of threads.
  struct Cut {
    private let rows: Int, columns: Int
    private let height: Int, width: Int
    private let across: Int
    let count: Int

    init(rows: Int, columns: Int, inner: Int) {
      (self.rows, self.columns) = (rows, columns)
      let threads = Engine.threads
      let wanted = threads == 1 ? 1 : min(max(rows * columns * inner / Product.worthATask, 1), 4 * threads)
      let blocks = (rows + Product.blockRows - 1) / Product.blockRows
      let down = min(blocks, (max(blocks, wanted) + threads - 1) / threads * threads)
      // Whole tiles of every variant of the kernels.
      height = max((rows + down - 1) / down + 11, 12) / 12 * 12
      let panel = PanelFormat.panelColumns
      let most = max(columns / Product.fewestColumns, 1)
      var split = min(max((wanted + down - 1) / down, 1), most)
      // A last task that one thread has to itself would keep the others waiting.
      if down % threads != 0 && split > threads { split -= split % threads }
      width = ((columns + split - 1) / split + panel - 1) / panel * panel
      across = (columns + width - 1) / width
      count = (rows + height - 1) / height * across
    }

    subscript(task: Int) -> (rows: Range<Int>, columns: Range<Int>) {
      let (row, column) = (task / across * height, task % across * width)
      return (row..<min(row + height, rows), column..<min(column + width, columns))
    }
  }
}
