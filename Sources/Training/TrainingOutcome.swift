public import Evaluation

/// How a training run ended.
public struct TrainingOutcome: Sendable, Equatable {
  public var steps: Int
  /// Stopped by a signal before its last step or the validation after it; run again with resume to go on.
  public var interrupted: Bool
  public var validationLoss: Double?
  /// What the last validation found of vectors, where the student gives those.
  public var vectors: VectorAgreement?
  public var bestStep: Int?
  public var bestLoss: Double?
  public var seconds: Double
  public var tokens: Int
  public var skippedSteps: Int
  /// Steps by source.
  public var sources: [BatchSource: Int]
  /// How old the samples were that the student wrote; nil where it wrote none.
  public var staleness: Staleness?
  /// What the run was expected to hold in memory.
  public var forecast: MemoryForecast
  /// What of the forecast's `step` was really taken, in bytes.
  public var stepPeakBytes: Int
}
