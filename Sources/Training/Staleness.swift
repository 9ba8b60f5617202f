/// How many steps before it was learnt from each of a run's samples was written that the student wrote.
public struct Staleness: Codable, Equatable, Sendable {
  public private(set) var samples = 0
  /// Summed over the samples.
  public private(set) var steps = 0
  /// Of the oldest.
  public private(set) var most = 0

  public init() {}

  /// With those of a step's samples.
  func adding(_ ages: [Int]) -> Staleness {
    var sum = self
    sum.samples += ages.count
    sum.steps += ages.reduce(0, +)
    sum.most = max(most, ages.max() ?? 0)
    return sum
  }

  /// Steps, over all samples; 0 where there is none.
  public var mean: Double { Double(steps) / Double(max(samples, 1)) }
}
