import Configuration
import Diagnostics
public import Training

/// How a run's student writes texts of its own, and how they are drawn again (DistiLLM, arXiv 2402.03898, Algorithm 1).
public struct ReplayConfiguration: Sendable, Codable {
  /// Whose rules hold where the paper and the released code differ and nothing else is said.
  public enum Mode: String, Sendable, Codable, CaseIterable {
    /// A generating step trains on a draw from the store; validation losses are compared with the previous one.
    case paper
    /// A generating step trains on what it wrote, until the store is full every one generates, and losses are compared with
    /// the one at the last rise. With ``DataSource/mixed(student:)`` the released code trains on a draw.
    case released
  }

  /// Who lets the student write.
  public enum Writer: String, Sendable, Codable, CaseIterable {
    /// The run itself, between two steps.
    case trainer
    /// Another process, ``ReplayFollowing``, from the checkpoint that the run publishes at the beginning of each round; the run
    /// waits for what it takes up. The bytes are the same.
    case process
  }

  public var mode: Mode?
  public var sampler = AdaptiveSampler.Settings()
  public var decoding = DecodingConfiguration()
  /// Tokens of the first step's longest responses; they grow from there to those of ``decoding``. Nil for the same
  /// throughout.
  public var initialNewTokens: Int?
  /// Steps whose prompts are answered together, at the first of them; nil for each step by itself.
  public var round: Int?
  /// Rounds between the student's writing and the learning: what a round learns from is written at the beginning of one so many
  /// before.
  public var lag = 0
  public var writer = Writer.trainer
  /// Fewest versions that stay on disk when those go from which nothing can be drawn any more, neither now nor from a
  /// checkpoint that is kept; nothing goes where absent.
  public var keep: Int?

  private enum CodingKeys: String, CodingKey {
    case mode, epsilon, ratio, comparison, capacity, keep
    case initialPhi = "initial_phi"
    case phiSteps = "phi_steps"
    case freshBatch = "fresh_batch"
    case warmFill = "warm_fill"
    case round, lag, writer
    case maximumStaleness = "max_staleness"
    case maximumNewTokens = "max_new_tokens"
  }

  /// The longest responses of each step.
  public var lengths: ResponseLengths {
    ResponseLengths(first: initialNewTokens ?? decoding.maximumNewTokens, last: decoding.maximumNewTokens)
  }

  /// The rounds; nil where each step is by itself.
  var rounds: Rounds? { round.map { Rounds(length: $0, lag: lag) } }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    mode = try keys.decodeIfPresent(Mode.self, forKey: .mode)
    if let mode { follow(mode) }
    sampler.initialPhi = try keys.decode(.initialPhi, default: sampler.initialPhi)
    sampler.epsilon = try keys.decode(.epsilon, default: sampler.epsilon)
    sampler.phiSteps = try keys.decode(.phiSteps, default: sampler.phiSteps)
    sampler.ratio = try keys.decode(.ratio, default: sampler.ratio)
    sampler.comparison = try keys.decode(.comparison, default: sampler.comparison)
    sampler.freshBatch = try keys.decode(.freshBatch, default: sampler.freshBatch)
    sampler.warmFill = try keys.decode(.warmFill, default: sampler.warmFill)
    sampler.capacity = try keys.decode(.capacity, default: sampler.capacity)
    sampler.maximumStaleness = try keys.decodeIfPresent(Int.self, forKey: .maximumStaleness)
    round = try keys.decodeIfPresent(Int.self, forKey: .round)
    lag = try keys.decode(.lag, default: lag)
    writer = try keys.decode(.writer, default: writer)
    keep = try keys.decodeIfPresent(Int.self, forKey: .keep)
    let lengths = try keys.decode(.maximumNewTokens, default: self.lengths)
    decoding = try DecodingConfiguration(from: decoder, maximumNewTokens: lengths.last)
    initialNewTokens = lengths.first == lengths.last ? nil : lengths.first
    try keys.checked(validate)
  }

  private mutating func follow(_ mode: Mode) {
    switch mode {
    case .paper: (sampler.freshBatch, sampler.warmFill, sampler.comparison) = (.replay, false, .previous)
    case .released: (sampler.freshBatch, sampler.warmFill, sampler.comparison) = (.fresh, true, .anchor)
    }
  }

  /// The same for steps of which a share is the student's, whatever the validation loss does.
  ///
  /// What was written at a step is learnt at that very step, but with the released code's mixture, which draws from the store.
  ///
  /// - Parameter isAlways: Whether that mixture is left out too, as on-policy training wants it.
  func mixing(_ share: Double, isAlways: Bool = false) -> ReplayConfiguration {
    var mixed = self
    mixed.sampler.studentShare = share
    mixed.sampler.freshBatch = mode == .released && !isAlways ? .replay : .fresh
    return mixed
  }

  /// Checks the sampler's numbers and those of decoding.
  func validate() throws {
    try CodingKeys.initialPhi.check(sampler.initialPhi, in: 0...1)
    try CodingKeys.epsilon.checkFinite(sampler.epsilon)
    try CodingKeys.phiSteps.checkPositive(sampler.phiSteps)
    try CodingKeys.capacity.checkPositive(sampler.capacity)
    try CodingKeys.maximumStaleness.checkPositive(sampler.maximumStaleness)
    try checkRounds()
    try CodingKeys.keep.checkPositive(keep)
    try CodingKeys.maximumNewTokens.check(initialNewTokens, in: 1...Limits.sequence)
    try decoding.validate()
  }

  private func checkRounds() throws {
    try CodingKeys.round.checkPositive(round)
    try CodingKeys.lag.check(lag, in: 0...Self.mostLag)
    guard let round else {
      if lag == 0 && writer == .trainer { return }
      throw Diagnostic.input(
        "needs rounds", field: (lag > 0 ? CodingKeys.lag : .writer).stringValue,
        remedy: "say with `round` how many steps' prompts are answered together")
    }
    let oldest = (lag + 1) * round - 1
    guard let bound = sampler.maximumStaleness, bound < oldest else { return }
    throw Diagnostic.input(
      "\(bound) is less than the \(oldest) steps that a text is old at the end of its round",
      field: CodingKeys.maximumStaleness.stringValue,
      remedy: "set it to at least \(oldest), or make `round` or `lag` smaller")
  }

  /// More rounds than anybody would look back.
  private static let mostLag = 1000

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encodeIfPresent(mode, forKey: .mode)
    try keys.encode(sampler.initialPhi, forKey: .initialPhi)
    try keys.encode(sampler.epsilon, forKey: .epsilon)
    try keys.encode(sampler.phiSteps, forKey: .phiSteps)
    try keys.encode(sampler.ratio, forKey: .ratio)
    try keys.encode(sampler.comparison, forKey: .comparison)
    try keys.encode(sampler.freshBatch, forKey: .freshBatch)
    try keys.encode(sampler.warmFill, forKey: .warmFill)
    try keys.encode(sampler.capacity, forKey: .capacity)
    try keys.encodeIfPresent(sampler.maximumStaleness, forKey: .maximumStaleness)
    try keys.encodeIfPresent(round, forKey: .round)
    try keys.encode(lag, forKey: .lag)
    try keys.encode(writer, forKey: .writer)
    try keys.encodeIfPresent(keep, forKey: .keep)
    try decoding.encode(
      to: encoder, maximumNewTokens: lengths)
  }
}
