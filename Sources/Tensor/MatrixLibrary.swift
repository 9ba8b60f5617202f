import CKernels
import COpenBLAS

/// What computes matrix products; docs/backends.md lists what each must supply.
public enum MatrixLibrary: String, Sendable, CaseIterable {
  /// The engine's own kernels, whose results depend neither on the threads nor on a row's neighbours.
  case decant
  /// OpenBLAS, in calls of one thread each. It chooses its loops by shape, and its loops round differently.
  case openblas

  /// Those that this machine has.
  public static var available: [MatrixLibrary] { allCases.filter { $0.trouble == nil } }

  /// Whether it multiplies in that precision on this CPU.
  public func supports(_ precision: Precision) -> Bool { self == .decant || precision == .fp32 }

  /// What keeps it from being used; nil where nothing does.
  var trouble: String? {
    switch self {
    case .decant: nil
    case .openblas: unsafe openBLASLoad().map { unsafe String(cString: $0) }
    }
  }

  /// Its name, version and kernels, such as `OpenBLAS 0.3.21 Cooperlake`.
  var description: String {
    switch self {
    case .decant: "own matrix kernels"
    case .openblas:
      unsafe String(cString: openBLASConfiguration()).split(separator: " ").prefix(2).joined(separator: " ") + " "
        + String(cString: openBLASCore())
    }
  }

  /// One product on the calling thread.
  fileprivate func multiply(
    _ a: Gemm.Operand, _ b: Gemm.Operand, into c: UnsafeMutablePointer<Float>, strideC: Int, rows: Int, columns: Int,
    inner: Int, alpha: Float, accumulate: Bool
  ) {
    switch self {
    case .decant: preconditionFailure("the engine's own products take panels")
    case .openblas:
      unsafe openBLASMultiply(
        a.transposed ? 1 : 0, b.transposed ? 1 : 0, Int32(rows), Int32(columns), Int32(inner), alpha, a.base,
        Int32(a.stride), b.base, Int32(b.stride), accumulate ? 1 : 0, c, Int32(strideC))
    }
  }
}

extension Product {
  /// Shares the product out along the longer side of the result, in calls of one thread each.
  func multiply(_ right: Gemm.Right, precision: Precision, with library: MatrixLibrary) {
    guard rows > 0, c.columns > 0 else { return }
    if let trouble = library.trouble { preconditionFailure(trouble) }
    precondition(library.supports(precision), "\(library.rawValue) does not multiply in \(precision.rawValue) here")
    guard case .fp32(let b) = right else { preconditionFailure("\(library.rawValue) takes weights in fp32") }
    let alongColumns = c.columns >= rows
    let side = alongColumns ? c.columns : rows
    let tasks = min(max(rows * c.columns * inner >> 20, 1), 4 * Engine.threads)
    let width = max((side + tasks - 1) / tasks + 15, 64) / 16 * 16
    Engine.parallel(count: side, grain: width) { part in
      let first = part.lowerBound
      unsafe library.multiply(
        alongColumns ? a : a.skipping(rows: first, columns: 0), alongColumns ? b.skipping(rows: 0, columns: first) : b,
        into: c.base + (alongColumns ? first : first * c.columns), strideC: c.columns,
        rows: alongColumns ? rows : part.count, columns: alongColumns ? part.count : c.columns, inner: inner,
        alpha: alpha, accumulate: accumulate)
    }
    guard let bias else { return }
    Engine.parallel(count: rows, grain: rowGrain(c.columns)) { range in
      unsafe kernels.addBias(c.rows(range).base, bias.base, range.count, c.columns)
    }
  }
}
