import Diagnostics
import Glibc
public import Tensor

/// How well the vectors of texts find what belongs to them, and how like their geometry is to another's.
public struct VectorAgreement: Sendable, Equatable {
  /// The share of texts whose vector is nowhere nearer than to its own target, by the cosine, among the targets of all texts. Equal
  /// targets, as of equal texts, count as one.
  public var recallAt1: Double
  /// Spearman's correlation between the cosines of all pairs of texts by their own vectors and by the teacher's; of the first
  /// ``pairedTexts`` texts. Nil where there is no teacher.
  public var spearman: Double?
  /// Texts that were measured.
  public var texts: Int

  /// So many texts have half a million pairs.
  public static let pairedTexts = 1000

  public init(recallAt1: Double, spearman: Double?, texts: Int) {
    (self.recallAt1, self.spearman, self.texts) = (recallAt1, spearman, texts)
  }

  /// Its numbers by the names that results and metrics give them.
  public var entries: [(name: String, value: Double)] {
    [("recall_at_1", recallAt1)] + (spearman.map { [("spearman", $0)] } ?? [])
  }
}

extension VectorAgreement {
  /// Compares vectors.
  ///
  /// - Parameters:
  ///   - queries: [texts, columns].
  ///   - targets: What belongs to each, [texts, columns].
  ///   - geometry: Two sets of vectors of the texts, of whatever widths; nil for none.
  ///   - arena: Lends memory, and takes it back.
  public init(
    queries: Tensor, targets: Tensor, geometry: (own: Tensor, teacher: Tensor)? = nil, in arena: Arena
  ) {
    precondition(queries.shape == targets.shape, "vectors \(queries.shape) and \(targets.shape) do not belong together")
    let count = queries.rows
    let found = arena.scratch {
      Self.found(Self.unit(queries, in: arena), among: Self.unit(targets, in: arena), in: arena)
    }
    recallAt1 = Double(found) / Double(max(count, 1))
    texts = count
    spearman = geometry.flatMap { own, teacher in
      let shown = 0..<min(count, Self.pairedTexts)
      return rankCorrelation(
        Self.pairs(own.rows(shown), in: arena), Self.pairs(teacher.rows(shown), in: arena))
    }
  }

  /// The rows divided by their lengths, in memory of the arena.
  private static func unit(_ vectors: Tensor, in arena: Arena) -> Tensor {
    let tape = Tape(arena: arena, recording: false)
    return tape.unitRows(tape.input(vectors)).value
  }

  private static func found(_ queries: Tensor, among targets: Tensor, in arena: Arena) -> Int {
    // A few MiB of similarities at a time.
    let step = max((1 << 20) / max(targets.rows, 1), 16)
    return stride(from: 0, to: queries.rows, by: step).reduce(0) { sum, start in
      let rows = start..<min(start + step, queries.rows)
      return arena.scratch {
        let similarities = arena.tensor([rows.count, targets.rows])
        Gemm.multiply(queries.rows(rows), targets, transposeB: true, into: similarities)
        let values = unsafe similarities.elements
        return sum
          + rows.count { row in
            let first = (row - start) * targets.rows
            let own = unsafe values[first + row]
            return unsafe own.isFinite && values[first..<first + targets.rows].allSatisfy { $0 <= own }
          }
      }
    }
  }

  /// The cosines of all pairs of different rows.
  private static func pairs(_ vectors: Tensor, in arena: Arena) -> [Float] {
    arena.scratch {
      let unit = unit(vectors, in: arena), similarities = arena.tensor([unit.rows, unit.rows])
      Gemm.multiply(unit, unit, transposeB: true, into: similarities)
      let values = unsafe similarities.elements
      return unsafe (0..<unit.rows).flatMap { row in unsafe values[row * unit.rows..<row * unit.rows + row] }
    }
  }
}

/// Spearman's rank correlation, equal values sharing the mean of their ranks; nil where one of the two is all alike, or there are
/// fewer than two values.
///
/// - Precondition: both are as long.
public func rankCorrelation(_ a: [Float], _ b: [Float]) -> Double? {
  precondition(a.count == b.count, "\(a.count) and \(b.count) values")
  guard a.count > 1, (a + b).allSatisfy(\.isFinite) else { return nil }
  let (x, y) = (ranks(a), ranks(b)), mean = Double(a.count - 1) / 2
  var (xx, yy, xy) = (0.0, 0.0, 0.0)
  for (x, y) in zip(x, y) {
    xx += (x - mean) * (x - mean)
    yy += (y - mean) * (y - mean)
    xy += (x - mean) * (y - mean)
  }
  return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : nil
}

/// The rank of each value, from 0.
private func ranks(_ values: [Float]) -> [Double] {
  let order = values.indices.sorted { (values[$0], $0) < (values[$1], $1) }
  var ranks = [Double](repeating: 0, count: values.count), start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
    for place in start..<end { ranks[order[place]] = Double(start + end - 1) / 2 }
    start = end
  }
  return ranks
}
