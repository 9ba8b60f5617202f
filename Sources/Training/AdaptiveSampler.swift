public import RandomStreams

/// Where a training step takes its batch from.
public enum BatchSource: String, Sendable, Codable, CaseIterable {
  /// The fixed data, with what the teacher says of it.
  case data
  /// Responses that the current student writes now, scored by the teacher and published as a new replay version.
  case fresh
  /// Responses that an earlier student wrote, drawn from the replay store.
  case replay
  /// The fixed data, and beside each sample what the student wrote to the same prompt.
  case paired
}

/// How the chance of fresh generation moves with training progress t/T (DistiLLM, arXiv 2402.03898, section 3.2 and the
/// released option `--replay-ratio`).
public enum ReplayRatio: String, Sendable, Codable, CaseIterable {
  /// phi (1 - t/T): early batches are fresh, late ones reused. The paper's choice.
  case decreasing
  /// phi / 2 throughout.
  case constant
  /// phi t/T.
  case increasing

  /// lambda, the probability of generating at `progress` in [0, 1].
  func generationProbability(phi: Double, progress: Double) -> Double {
    switch self {
    case .decreasing: phi * (1 - progress)
    case .constant: 0.5 * phi
    case .increasing: phi * progress
    }
  }
}

/// The adaptive off-policy schedule of DistiLLM (arXiv 2402.03898, Algorithm 1): phi is the probability of training on
/// student outputs, raised when the validation loss rises.
///
/// The state is a value that a checkpoint holds whole; every random decision comes from ``stream``.
public struct AdaptiveSampler: Sendable, Equatable, Codable {
  /// What a validation loss is compared with.
  public enum Comparison: String, Sendable, Codable, CaseIterable {
    /// The loss at the previous validation (the paper).
    case previous
    /// The loss at the last rise of phi, or the first one: slow drifts add up, and a rise of just epsilon counts (the released
    /// code).
    case anchor
  }

  /// What a generating step trains on.
  public enum FreshBatch: String, Sendable, Codable, CaseIterable {
    /// The responses it has just generated (the released code).
    case fresh
    /// A uniform draw from the replay store, which holds them too (the paper).
    case replay
  }

  public struct Settings: Sendable, Equatable, Codable {
    /// The share of steps that the student writes for, whatever the validation loss does: GKD's lambda (arXiv 2306.13649), 1 for
    /// every step. Nothing else of these decides then but ``freshBatch`` and ``capacity``. Nil where phi decides.
    public var studentShare: Double?
    /// Initial phi in [0, 1].
    public var initialPhi: Double = 0
    /// How far the validation loss must rise, in nats per token.
    public var epsilon: Double = 0.1
    /// N_phi: phi rises by 1/N_phi, up to 1.
    public var phiSteps: Int = 10
    public var ratio: ReplayRatio = .decreasing
    public var comparison: Comparison = .previous
    public var freshBatch: FreshBatch = .fresh
    /// Generate at every student-output step until the store holds `capacity` samples (the released code).
    public var warmFill = false
    /// Replay draws come from this many newest samples.
    public var capacity: Int = 1000
    /// Replay draws come from samples that were written at most so many steps before; nil for any.
    public var maximumStaleness: Int?

    public init() {}
  }

  public let settings: Settings
  /// The probability of training on student outputs.
  public private(set) var phi: Double
  /// The validation loss that the next one is compared with; nil before the first.
  public private(set) var reference: Double?
  /// Decides sources and replay draws.
  public private(set) var stream: RandomStream

  /// Whether any step could be on what the student writes.
  package var asksStudent: Bool { phi > 0 }

  public init(settings: Settings, seed: UInt64) {
    self.settings = settings
    phi = settings.studentShare ?? settings.initialPhi
    stream = RandomStream(seed: seed, name: "sampler")
  }

  /// Chooses the source of step `step` (from 0) of `total`, one uniform draw a step. The paper counts steps from 1: this is
  /// its step t = `step` + 1, so that the last step generates nothing where the ratio decreases.
  ///
  /// While there is nothing to replay a replay step generates instead.
  ///
  /// - Parameter replayCount: Samples that could be drawn.
  public mutating func source(step: Int, of total: Int, replayCount: Int) -> BatchSource {
    let u = stream.uniformDouble()
    if let share = settings.studentShare { return u < share ? .fresh : .data }
    let progress = Double(step + 1) / Double(max(total, 1))
    if u < settings.ratio.generationProbability(phi: phi, progress: progress) { return .fresh }
    guard u < phi else { return .data }
    let filling = settings.warmFill && replayCount < settings.capacity
    return replayCount == 0 || filling ? .fresh : .replay
  }

  /// `count` distinct indices drawn uniformly from the newest `capacity` of some samples; all of them where there are
  /// fewer.
  ///
  /// - Parameter samples: Those that may be drawn, oldest first.
  public mutating func replayIndices(_ count: Int, from samples: Range<Int>) -> [Int] {
    let window = min(samples.count, settings.capacity)
    let first = samples.upperBound - window
    // Floyd's algorithm: a uniform subset in `count` draws, without a list of the window.
    var chosen: Set<Int> = []
    var order: [Int] = []
    for upper in max(0, window - count)..<window {
      let candidate = stream.below(upper + 1)
      let pick = chosen.contains(candidate) ? upper : candidate
      chosen.insert(pick)
      order.append(first + pick)
    }
    return order
  }

  /// Takes a validation loss (cross-entropy on reference responses, nats per token) and raises phi where it rose by more
  /// than epsilon. Where a share was set nothing moves.
  ///
  /// - Returns: true where phi rose.
  @discardableResult
  public mutating func observe(validationLoss: Double) -> Bool {
    guard settings.studentShare == nil else { return false }
    guard let reference else {
      self.reference = validationLoss
      return false
    }
    let limit = reference + settings.epsilon
    let rose = settings.comparison == .anchor ? validationLoss >= limit : validationLoss > limit
    if rose { phi = min(1, phi + 1 / Double(settings.phiSteps)) }
    if rose || settings.comparison == .previous { self.reference = validationLoss }
    return rose
  }
}
