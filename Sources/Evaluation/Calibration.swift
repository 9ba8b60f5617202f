import Glibc
import TeacherSignal

/// Expected calibration error of next tokens (Guo et al., "On calibration of modern neural networks", arXiv 1706.04599, equation
/// 3): rows go by the probability of the most probable token into bins of one width, and in each the mean of it is held against
/// the share of rows whose token that was.
struct Calibration {
  static let binCount = 15

  private var bins = [(rows: Int, confidence: Double, hits: Int)](repeating: (0, 0, 0), count: binCount)

  /// Adds a position.
  ///
  /// - Parameters:
  ///   - logProb: Of the most probable token.
  ///   - isHit: Whether that token follows.
  mutating func add(logProb: Float, isHit: Bool) {
    let confidence = exp(Double(logProb))
    // A bin's lower border is not in it: (0, 1/15], (1/15, 2/15], ...
    let bin = min(max(Int((confidence * Double(Self.binCount)).rounded(.up)) - 1, 0), Self.binCount - 1)
    bins[bin].rows += 1
    bins[bin].confidence += confidence
    bins[bin].hits += isHit ? 1 : 0
  }

  /// Of all positions, between 0 and 1; nil of none.
  var error: Double? {
    let rows = bins.reduce(0) { $0 + $1.rows }
    guard rows > 0 else { return nil }
    return bins.reduce(0) { $0 + abs($1.confidence - Double($1.hits)) } / Double(rows)
  }
}
