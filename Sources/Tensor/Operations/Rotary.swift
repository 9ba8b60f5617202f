import CKernels
import Glibc
import Synchronization

/// Cosines and sines of a rotary embedding (Su et al., arXiv 2104.09864), made as far as positions ask for them.
public final class RotaryTable: Sendable {
  private struct Tables {
    var cosine = Storage(shape: [0])
    var sine = Storage(shape: [0])
    var length = 0
  }

  public let headDimension: Int
  /// Elements of a head that are rotated, the first ones; the others stay.
  public let rotatedDimension: Int
  private let theta: Double
  private let scaling: RotaryScaling
  /// By the variant of the texts they are for; of all but variant 0, of which there may be many, a few are kept.
  private let tables = Mutex<[Int: Tables]>([:])
  private static let keptVariants = 8

  /// - Parameters:
  ///   - theta: Base of the frequencies.
  ///   - rotatedDimension: nil for whole heads.
  /// - Precondition: the rotated elements are even in number and within a head; scaling by factors has one for each pair.
  public init(theta: Double, headDimension: Int, rotatedDimension: Int? = nil, scaling: RotaryScaling = .none) {
    let rotated = rotatedDimension ?? headDimension
    precondition(
      rotated % 2 == 0 && rotated > 0 && rotated <= headDimension,
      "a rotary embedding of \(rotated) elements does not fit heads of \(headDimension)")
    if case .factors(let factors, _) = scaling {
      precondition(factors.count == rotated / 2, "\(factors.count) factors for \(rotated / 2) frequencies")
    }
    (self.headDimension, self.rotatedDimension, self.theta, self.scaling) = (headDimension, rotated, theta, scaling)
  }

  /// Tables `[length, rotatedDimension / 2]` that cover the positions below `limit`, for texts of a variant.
  private func covering(_ limit: Int, variant: Int) -> (cosine: Storage, sine: Storage) {
    tables.withLock { tables in
      var made = tables[variant] ?? Tables()
      if made.length < limit {
        made = makeTables(length: max(limit, 2 * made.length, 256), variant: variant)
        if variant != 0, tables.count > Self.keptVariants { tables = tables.filter { $0.key == 0 } }
        tables[variant] = made
      }
      return (made.cosine, made.sine)
    }
  }

  private func makeTables(length: Int, variant: Int) -> Tables {
    let frequencies = scaling.frequencies(theta: theta, dimension: rotatedDimension, variant: variant)
    let (pairs, factor) = (frequencies.count, Float(scaling.attentionFactor))
    let made = Tables(
      cosine: Storage(shape: [length, pairs]), sine: Storage(shape: [length, pairs]), length: length)
    let (cosine, sine) = unsafe (made.cosine.tensor.base, made.sine.tensor.base)
    for position in 0..<length {
      for (i, frequency) in frequencies.enumerated() {
        // The angle is rounded to a float as in transformers, whose results are the reference.
        let angle = Double(Float(position) * frequency)
        unsafe cosine[position * pairs + i] = Float(cos(angle)) * factor
        unsafe sine[position * pairs + i] = Float(sin(angle)) * factor
      }
    }
    return made
  }
}

private struct Rotation: Operation {
  let input: Variable
  let packing: Packing
  let table: RotaryTable

  func backward(_ gradient: Tensor, on tape: Tape) {
    // The inverse of a rotation is its transpose: rotate the gradient back.
    let rotated = tape.arena.tensor(gradient.shape)
    table.rotate(gradient, packing, into: rotated, direction: -1)
    tape.accumulateGradient(of: input) { target in
      Engine.parallel(count: target.count, grain: elementGrain) { range in
        unsafe kernels.accumulate(target.base + range.lowerBound, rotated.base + range.lowerBound, range.count)
      }
    }
  }
}

extension RotaryTable {
  fileprivate func rotate(_ x: Tensor, _ packing: Packing, into y: Tensor, direction: Float) {
    guard case .dynamic = scaling else {
      return rotate(x, packing, rows: 0..<x.rows, variant: 0, into: y, direction)
    }
    for sequence in 0..<packing.sequenceCount {
      let rows = packing.rows(sequence)
      guard let last = rows.last else { continue }
      let variant = scaling.variant(textLength: Int(packing.positions[last]) + 1)
      rotate(x, packing, rows: rows, variant: variant, into: y, direction)
    }
  }

  private func rotate(
    _ x: Tensor, _ packing: Packing, rows: Range<Int>, variant: Int, into y: Tensor, _ direction: Float
  ) {
    guard let furthest = packing.positions[rows].max() else { return }
    let (cosine, sine) = covering(Int(furthest) + 1, variant: variant)
    unsafe packing.positions.withUnsafeBufferPointer { positions in
      Engine.parallel(count: rows.count, grain: rowGrain(x.columns)) { range in
        let first = rows.lowerBound + range.lowerBound
        let start = first * x.columns
        unsafe kernels.rotary(
          y.base + start, x.base + start, cosine.tensor.base, sine.tensor.base, positions.baseAddress! + first,
          range.count, x.columns / headDimension, headDimension, rotatedDimension, direction)
      }
    }
  }
}

extension Tape {
  /// Each head of x, of shape `[rows, heads * headDimension]`, rotated by the angles of its row's position: elements i
  /// and `i + rotatedDimension / 2` form a pair, as in transformers.
  ///
  /// - Parameter packing: Positions of the rows; where the scaling goes by the length of a text, that is its last
  ///   position plus one.
  public func rotary(_ x: Variable, packing: Packing, table: RotaryTable) -> Variable {
    precondition(
      x.value.columns % table.headDimension == 0,
      "a rotary table for heads of \(table.headDimension) does not fit \(x.value.shape)")
    precondition(packing.rowCount == x.value.rows, "\(packing.rowCount) positions for \(x.value.rows) rows")
    precondition(packing.positions.allSatisfy { $0 >= 0 }, "positions must not be negative")
    let y = arena.tensor(x.value.shape)
    table.rotate(x.value, packing, into: y, direction: 1)
    return record(y, Rotation(input: x, packing: packing, table: table))
  }
}
