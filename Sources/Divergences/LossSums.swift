/// What a row costs, in nats, whatever it weighs.
public struct RowLoss: Sendable, Equatable {
  /// The divergence from the teacher; 0 where it was not asked for.
  public var divergence: Double
  /// -log q of the target; 0 where there are no targets.
  public var crossEntropy: Double

  public init(divergence: Double = 0, crossEntropy: Double = 0) {
    self.divergence = divergence
    self.crossEntropy = crossEntropy
  }
}

/// Losses summed over rows, in nats; sums are in double and in row order.
public struct LossSums: Sendable, Equatable {
  /// Sum of the rows' divergences, each times its row weight.
  public var divergence = 0.0
  /// Sum of the row weights behind ``divergence``: the number of rows where no row weights were given.
  public var divergenceRows = 0.0
  /// Sum of the rows' cross-entropies, each times its row weight. Reported where targets are given, even if its weight
  /// in the loss is 0: it costs nothing.
  public var crossEntropy = 0.0
  /// Sum of the row weights behind ``crossEntropy``.
  public var crossEntropyRows = 0.0
  /// Number of rows, masked ones included.
  public var rows: Int { perRow.count }
  /// Each row's losses, unweighted; masked rows are zero.
  public var perRow: [RowLoss] = []

  public init() {}

  /// Mean over rows, by row weight; 0 over no rows.
  public var meanDivergence: Double { divergenceRows == 0 ? 0 : divergence / divergenceRows }
  /// Mean over rows, by row weight; 0 over no rows.
  public var meanCrossEntropy: Double { crossEntropyRows == 0 ? 0 : crossEntropy / crossEntropyRows }

  /// Adds the sums of other rows, which follow these.
  public static func += (sums: inout LossSums, other: LossSums) {
    sums.divergence += other.divergence
    sums.divergenceRows += other.divergenceRows
    sums.crossEntropy += other.crossEntropy
    sums.crossEntropyRows += other.crossEntropyRows
    sums.perRow += other.perRow
  }
}
