import Configuration
import Diagnostics

/// Which positions a divergence leaves out: those at which the teacher lies farthest from a clean model, by the column `anomaly` of
/// the rows' cache. A teacher with a backdoor is at its farthest where the trigger stands (RobustKD, arXiv 2406.03409, finds such a
/// teacher by its features; this is the same defence for one whose log-probs are learnt from).
public struct AnomalyGate: Codable, Sendable, Equatable {
  /// The share of the data's positions that is left out, those with the largest anomalies; the bound is found when the run begins.
  public var share: Double?
  /// From which anomaly on, in nats, a position is left out; in the place of a share.
  public var above: Double?

  public init(share: Double) { self.share = share }

  /// Whether nothing is left out, whatever the data.
  public var isOpen: Bool { share == 0 }

  private enum CodingKeys: String, CodingKey { case share, above }

  func validate() throws {
    guard (share == nil) != (above == nil) else {
      throw Diagnostic.input(
        "takes a share of the positions or a bound", field: CodingKeys.share.stringValue,
        remedy: "write gate: {share: 0.02}, or gate: {above: 3.0}")
    }
    if let share { try CodingKeys.share.check(share, in: 0...0.5) }
    if let above { try CodingKeys.above.checkNotNegative(above) }
  }
}
