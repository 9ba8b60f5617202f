import CKernels
import Synchronization

/// A right operand in the order that products read it, for matrices that serve many products of few rows, where copying
/// them each time would be a good part of the work: decoding, and a head whose rows come in chunks.
public final class PackedMatrix: Sendable {
  /// Rows of the operand, before it was laid out.
  public let inner: Int
  public let columns: Int
  let panels: PackedPanels
  /// As many words as floats.
  private let memory: Tensor

  /// Lays out `w`, or, where `transposed`, its transpose.
  ///
  /// - Parameters:
  ///   - precision: `.bf16` takes half the memory. Weights in bf16 are laid out as such whatever it is.
  ///   - arena: Lends the memory, until it is reset; nil for memory of its own.
  public init(_ w: Weights, transposed: Bool, precision: Precision, arena: Arena? = nil) {
    (inner, columns) = transposed ? (w.columns, w.rows) : (w.rows, w.columns)
    let format = PanelFormat(precision, w)
    let shape = [format.words(inner: inner, columns: columns)]
    memory = (arena ?? Arena()).tensor(shape)
    panels = unsafe PackedPanels(base: memory.base, inner: inner, format: format)
    panels.fill(Gemm.Factor(w, transposed: transposed), rows: 0..<inner, columns: 0..<columns)
  }

  /// Bytes that it takes.
  public var bytes: Int { memory.count * MemoryLayout<Float>.stride }

  /// Bytes that a matrix laid out takes.
  public static func bytes(_ w: Weights, transposed: Bool, precision: Precision) -> Int {
    let (inner, columns) = transposed ? (w.columns, w.rows) : (w.rows, w.columns)
    return PanelFormat(precision, w).words(inner: inner, columns: columns) * MemoryLayout<Float>.stride
  }
}

/// The weights of a model laid out for products, each when it is first asked for.
///
/// Weights may not change while this is in use.
public final class PackedWeights: Sendable {
  private struct Key: Hashable {
    var name: String
    var transposed: Bool
  }

  public let precision: Precision
  private let matrices = Mutex<[Key: PackedMatrix]>([:])

  public init(precision: Precision) { self.precision = precision }

  /// Bytes of all that was laid out so far.
  public var bytes: Int { matrices.withLock { $0.values.reduce(0) { $0 + $1.bytes } } }

  /// The parameter's matrix, or, where `transposed`, its transpose.
  public func matrix(_ parameter: Parameter, transposed: Bool) -> PackedMatrix {
    let key = Key(name: parameter.name, transposed: transposed)
    if let found = matrices.withLock({ $0[key] }) { return found }
    let made = PackedMatrix(parameter.weights, transposed: transposed, precision: precision)
    matrices.withLock { $0[key] = made }
    return made
  }
}

/// How a panel holds its rows.
enum PanelFormat: Sendable {
  /// A float each.
  case fp32
  /// Words of two rows.
  case bf16

  /// bf16 weights are never widened: their products are bf16 ones.
  init(_ precision: Precision, _ w: Weights) {
    if case .bf16 = w { self = .bf16 } else { self = precision == .bf16 ? .bf16 : .fp32 }
  }

  static var panelColumns: Int { kernels.panelColumns() }

  /// Words of a panel for each of its columns.
  func height(inner: Int) -> Int { self == .fp32 ? inner : (inner + 1) / 2 }

  /// 32-bit words that all panels take.
  func words(inner: Int, columns: Int) -> Int {
    let width = Self.panelColumns
    return (columns + width - 1) / width * width * height(inner: inner)
  }
}

/// Panels in memory that somebody else keeps alive, `inner` rows each.
@safe struct PackedPanels: @unchecked Sendable {
  // Sendable: an address; panels are written before they are shared, tasks that fill them write apart.
  let base: UnsafeMutablePointer<Float>
  let inner: Int
  let format: PanelFormat

  /// The panel that begins with a column, which is a multiple of the panel's width.
  func panel(_ column: Int) -> UnsafeMutablePointer<Float> { unsafe base + column * format.height(inner: inner) }

  /// Without the columns before one, which is a multiple of the panel's width.
  func from(column: Int) -> PackedPanels { unsafe PackedPanels(base: panel(column), inner: inner, format: format) }

  /// Without the rows before one; of fp32.
  func from(row: Int) -> PackedPanels {
    unsafe PackedPanels(base: base + row * PanelFormat.panelColumns, inner: inner, format: format)
  }

  /// Lays out part of an operand from the first panel on, shared among the threads.
  func fill(_ right: Gemm.Factor, rows: Range<Int>, columns: Range<Int>) {
    let width = PanelFormat.panelColumns
    let grain = max(elementGrain / (width * max(rows.count, 1)), 1) * width
    Engine.parallel(count: columns.count, grain: grain) { part in
      let source = right.skipping(rows: rows.lowerBound, columns: columns.lowerBound + part.lowerBound)
      let target = unsafe panel(part.lowerBound)
      switch (format, source) {
      case (.fp32, .fp32(let w)):
        unsafe kernels.packPanels(target, inner, w.base, w.stride, w.transposed ? 1 : 0, rows.count, part.count)
      case (.bf16, .fp32(let w)):
        unsafe kernels.packPanelsBF16(
          Self.words(target), inner, w.base, w.stride, w.transposed ? 1 : 0, rows.count, part.count)
      case (_, .bf16(let base, let stride, let transposed)):
        unsafe kernels.packPanelsFromBF16(
          Self.words(target), inner, base, stride, transposed ? 1 : 0, rows.count, part.count)
      }
    }
  }

  static func words(_ pointer: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<UInt32> {
    unsafe UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt32.self)
  }
}
