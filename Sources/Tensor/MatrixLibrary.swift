import CKernels
import COneDNN
import COpenBLAS

/// What computes matrix products; docs/backends.md lists what each must supply.
public enum MatrixLibrary: String, Sendable, CaseIterable {
  /// The engine's own kernels, whose results depend neither on the threads nor on a row's neighbours.
  case decant
  /// OpenBLAS, in calls of one thread each. It chooses its loops by shape, and its loops round differently.
  case openblas
  /// oneDNN, in calls of one thread each; bf16 where the CPU has at least AVX-512, on AMX units where it has them.
  case onednn

  /// Those that this machine has.
  public static var available: [MatrixLibrary] { allCases.filter { $0.trouble == nil } }

  /// Whether it multiplies in that precision on this CPU.
  public func supports(_ precision: Precision) -> Bool {
    self == .decant || precision == .fp32 || (self == .onednn && trouble == nil && oneDNNHasBF16() != 0)
  }

  /// What keeps it from being used; nil where nothing does.
  var trouble: String? {
    switch self {
    case .decant: nil
    case .openblas: unsafe openBLASLoad().map { unsafe String(cString: $0) }
    case .onednn: unsafe oneDNNLoad().map { unsafe String(cString: $0) }
    }
  }

  /// Its name, version and kernels, such as `OpenBLAS 0.3.21 Cooperlake`.
  var description: String {
    switch self {
    case .decant: "own matrix kernels"
    case .openblas:
      unsafe String(cString: openBLASConfiguration()).split(separator: " ").prefix(2).joined(separator: " ") + " "
        + String(cString: openBLASCore())
    case .onednn:
      unsafe "oneDNN " + String(cString: oneDNNVersion()) + " " + String(cString: oneDNNInstructionSet())
    }
  }

  /// One product on the calling thread.
  fileprivate func multiply(
    _ a: Gemm.Factor, _ b: Gemm.Factor, into c: UnsafeMutablePointer<Float>, strideC: Int, rows: Int, columns: Int,
    inner: Int, alpha: Float, accumulate: Bool
  ) {
    let (m, n, k, beta) = (Int32(rows), Int32(columns), Int32(inner), accumulate ? Float(1) : 0)
    switch (self, a, b) {
    case (.openblas, .fp32(let a), .fp32(let b)):
      unsafe openBLASMultiply(
        a.transposed ? 1 : 0, b.transposed ? 1 : 0, m, n, k, alpha, a.base, Int32(a.stride), b.base, Int32(b.stride),
        beta, c, Int32(strideC))
    case (.onednn, .fp32(let a), .fp32(let b)):
      unsafe oneDNNMultiply(
        a.transposed ? 1 : 0, b.transposed ? 1 : 0, m, n, k, alpha, a.base, Int32(a.stride), b.base, Int32(b.stride),
        beta, c, Int32(strideC))
    case (.onednn, .bf16(let a, let strideA, let transposeA), .bf16(let b, let strideB, let transposeB)):
      unsafe oneDNNMultiplyBF16(
        transposeA ? 1 : 0, transposeB ? 1 : 0, m, n, k, alpha, a, Int32(strideA), b, Int32(strideB), beta, c,
        Int32(strideC))
    default: preconditionFailure("\(rawValue) does not multiply these operands")
    }
  }
}

extension Product {
  /// Shares the product out along the longer side of the result, in calls of one thread each.
  func multiply(_ b: Weights, transposed: Bool, precision: Precision, with library: MatrixLibrary) {
    guard rows > 0, c.columns > 0 else { return }
    if let trouble = library.trouble { preconditionFailure(trouble) }
    let format = PanelFormat(precision, b)
    precondition(
      library.supports(format == .bf16 ? .bf16 : .fp32), "\(library.rawValue) does not multiply in bf16 on this CPU")
    // Rounded as a whole, since several calls read the same elements.
    let operands = format == .bf16 ? (Weights.fp32(self.left).rounded, b.rounded) : (.fp32(self.left), b)
    let left = Gemm.Factor(operands.0, transposed: a.transposed)
    let right = Gemm.Factor(operands.1, transposed: transposed)
    let alongColumns = c.columns >= rows
    let side = alongColumns ? c.columns : rows
    let tasks = min(max(rows * c.columns * inner / (1 << 20), 1), 4 * Engine.threads)
    let width = max((side + tasks - 1) / tasks + 15, 64) / 16 * 16
    Engine.parallel(count: side, grain: width) { part in
      let first = part.lowerBound
      unsafe library.multiply(
        alongColumns ? left : left.skipping(rows: first, columns: 0),
        alongColumns ? right.skipping(rows: 0, columns: first) : right,
        into: c.base + (alongColumns ? first : first * c.columns), strideC: c.columns,
        rows: alongColumns ? rows : part.count, columns: alongColumns ? part.count : c.columns, inner: inner,
        alpha: alpha, accumulate: accumulate)
    }
    withExtendedLifetime(operands) {}
    guard let bias else { return }
    Engine.parallel(count: rows, grain: rowGrain(c.columns)) { range in
      unsafe kernels.addBias(c.rows(range).base, bias.base, range.count, c.columns)
    }
  }
}
