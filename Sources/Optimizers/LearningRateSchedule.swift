import Glibc

/// The learning rate of each step: a rise over the warm-up steps, then a course down to a share of the peak.
public struct LearningRateSchedule: Sendable, Equatable {
  /// The course after the warm-up.
  public enum Shape: String, Sendable, Equatable, CaseIterable, Codable {
    /// The peak for ever.
    case constant
    /// A straight line.
    case linear
    /// Half a period of the cosine.
    case cosine
  }

  public var shape: Shape
  /// The rate at the end of the warm-up.
  public var peak: Float
  public var warmupSteps: Int
  /// Steps of the whole run, warm-up included.
  public var totalSteps: Int
  /// The rate at the end of the run and after it, as a share of the peak.
  public var minimumRatio: Float

  public init(shape: Shape, peak: Float, warmupSteps: Int = 0, totalSteps: Int, minimumRatio: Float = 0) {
    precondition(warmupSteps >= 0 && totalSteps >= 0, "\(warmupSteps) warm-up steps of \(totalSteps) make no schedule")
    (self.shape, self.peak, self.warmupSteps, self.totalSteps) = (shape, peak, warmupSteps, totalSteps)
    self.minimumRatio = minimumRatio
  }

  /// The rate of a step, counted from 0.
  ///
  /// Warm-up: `peak * (step + 1) / warmupSteps`, so that the first step already counts. Then, with progress t from 0 to
  /// 1 over the other steps and m the minimum ratio:
  ///
  /// - linear: `peak * (m + (1 - m) * (1 - t))`
  /// - cosine: `peak * (m + (1 - m) * (1 + cos(pi t)) / 2)`
  public func rate(step: Int) -> Float {
    if step < warmupSteps { return peak * Float(step + 1) / Float(warmupSteps) }
    let progress = min(Double(step - warmupSteps) / Double(max(totalSteps - warmupSteps, 1)), 1)
    let share: Double
    switch shape {
    case .constant: return peak
    case .linear: share = 1 - progress
    case .cosine: share = (1 + cos(.pi * progress)) / 2
    }
    return Float(Double(peak) * (Double(minimumRatio) + (1 - Double(minimumRatio)) * share))
  }
}
