/// The longest responses of a run's steps: the same for all, or growing evenly from the first step to the last. A student that
/// writes little as yet learns as much from the beginnings of responses, which cost less (TOPD, arXiv 2605.31490).
public struct ResponseLengths: Sendable, Equatable {
  /// Tokens of the first step's.
  public var first: Int
  /// Tokens of the last step's.
  public var last: Int

  public init(first: Int, last: Int) {
    self.first = first
    self.last = last
  }

  /// Tokens of a step's, counted from 0, of a run of `total`.
  public func tokens(step: Int, of total: Int) -> Int {
    guard total > 1 else { return last }
    let progress = Double(min(step, total - 1)) / Double(total - 1)
    return first + Int((Double(last - first) * progress).rounded())
  }

  /// The most of any step.
  public var most: Int { max(first, last) }
}
