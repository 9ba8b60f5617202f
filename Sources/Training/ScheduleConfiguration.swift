import Configuration
import Diagnostics
public import Optimizers

/// Steps, batches and the optimizer.
public struct ScheduleConfiguration: Sendable, Codable {
  /// Optimizer steps; exactly one of this and ``epochs`` is given.
  public var steps: Int?
  /// Passes over the training rows.
  public var epochs: Double?
  /// Samples per optimizer step.
  public var batchSize = 8
  /// A batch is computed in micro-batches of at most this many tokens, whose gradients add up to the whole batch's.
  public var microBatchTokens = 8192
  /// Keep only the input of each transformer block for the backward pass and run the block again there: less memory,
  /// more time, the same bits.
  public var recompute = false
  public var learningRate = 1e-4
  public var schedule = LearningRateSchedule.Shape.cosine
  public var warmupSteps = 0
  /// The learning rate ends at this share of its peak.
  public var minimumRatio = 0.0
  public var weightDecay = 0.01
  public var beta1 = 0.9
  public var beta2 = 0.999
  public var epsilon = 1e-8
  /// Largest gradient norm; 0 does not clip.
  public var gradientClip = 1.0
  /// On embeddings and residual branches.
  public var dropout: Float = 0
  /// The run stops after this many steps in a row without a finite loss.
  public var nonFiniteLimit = 5
  /// A line of metrics every so many steps.
  public var logEvery = 10

  private enum CodingKeys: String, CodingKey {
    case steps, epochs, recompute, schedule, beta1, beta2, epsilon, dropout
    case batchSize = "batch_size"
    case microBatchTokens = "micro_batch_tokens"
    case learningRate = "learning_rate"
    case warmupSteps = "warmup_steps"
    case minimumRatio = "minimum_ratio"
    case weightDecay = "weight_decay"
    case gradientClip = "gradient_clip"
    case nonFiniteLimit = "non_finite_limit"
    case logEvery = "log_every"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    steps = try keys.decodeIfPresent(Int.self, forKey: .steps)
    epochs = try keys.decodeIfPresent(Double.self, forKey: .epochs)
    batchSize = try keys.decode(.batchSize, default: batchSize)
    microBatchTokens = try keys.decode(.microBatchTokens, default: microBatchTokens)
    recompute = try keys.decode(.recompute, default: recompute)
    learningRate = try keys.decode(.learningRate, default: learningRate)
    schedule = try keys.decode(.schedule, default: schedule)
    warmupSteps = try keys.decode(.warmupSteps, default: warmupSteps)
    minimumRatio = try keys.decode(.minimumRatio, default: minimumRatio)
    weightDecay = try keys.decode(.weightDecay, default: weightDecay)
    beta1 = try keys.decode(.beta1, default: beta1)
    beta2 = try keys.decode(.beta2, default: beta2)
    epsilon = try keys.decode(.epsilon, default: epsilon)
    gradientClip = try keys.decode(.gradientClip, default: gradientClip)
    dropout = try keys.decode(.dropout, default: dropout)
    nonFiniteLimit = try keys.decode(.nonFiniteLimit, default: nonFiniteLimit)
    logEvery = try keys.decode(.logEvery, default: logEvery)
    try keys.checked(validate)
  }

  /// Checks the counts and numbers.
  public func validate() throws {
    try CodingKeys.steps.check(steps, in: 0...Limits.count)
    try CodingKeys.epochs.check(epochs, in: 0...1e6)
    guard (steps == nil) != (epochs == nil) else {
      throw Diagnostic.input("give exactly one of `steps` and `epochs`")
    }
    try CodingKeys.batchSize.check(batchSize, in: 1...Limits.batch)
    try CodingKeys.microBatchTokens.checkPositive(microBatchTokens)
    try CodingKeys.learningRate.checkNotNegative(learningRate)
    try CodingKeys.warmupSteps.checkNotNegative(warmupSteps)
    try CodingKeys.minimumRatio.check(minimumRatio, in: 0...1)
    try CodingKeys.weightDecay.checkNotNegative(weightDecay)
    try CodingKeys.beta1.check(beta1, in: 0...0.999_999)
    try CodingKeys.beta2.check(beta2, in: 0...0.999_999)
    try CodingKeys.epsilon.checkAboveZero(epsilon)
    try CodingKeys.gradientClip.checkNotNegative(gradientClip)
    try CodingKeys.dropout.check(dropout, in: 0...0.99)
    try CodingKeys.nonFiniteLimit.checkPositive(nonFiniteLimit)
    try CodingKeys.logEvery.checkPositive(logEvery)
  }

  /// Optimizer steps of the run over `sampleCount` samples.
  public func totalSteps(sampleCount: Int) -> Int {
    steps ?? max(1, Int(((epochs ?? 0) * Double(sampleCount) / Double(batchSize)).rounded(.up)))
  }
}
