import Diagnostics
import Files
import FoundationEssentials
import RandomStreams

// MARK: - On disk

extension TrainerState {
  /// From 2 on a checkpoint has a list of checksums, from 3 on keys are in snake case, from 4 on steps on the fixed data count
  /// as `data`, before as `cache`.
  static let currentFormat = 4

  private struct Format: Codable { var format: Int }

  /// Reads a state; ``check(against:step:path:remedy:)`` says whether its numbers can be.
  ///
  /// - Parameter remedy: What to do about a damaged checkpoint.
  /// - Throws: a `Diagnostic` where the file is missing, damaged or of another format.
  static func read(_ path: String, remedy: String?) throws -> TrainerState {
    let bytes = Data(try File.read(path))
    do {
      let format = try JSONDecoder().decode(Format.self, from: bytes).format
      guard (1...currentFormat).contains(format) else {
        throw Diagnostic.input(
          "trainer state of format \(format), this version reads 1 to \(currentFormat)", file: path, field: "format",
          remedy: "resume with the version that wrote it")
      }
      let decoder = JSONDecoder()
      if format >= 3 { decoder.keyDecodingStrategy = .convertFromSnakeCase }
      var state = try decoder.decode(TrainerState.self, from: bytes)
      if let count = state.sources.removeValue(forKey: "cache") { state.sources[BatchSource.data.rawValue] = count }
      return state
    } catch let error as DecodingError {
      let (field, what) = describe(error)
      throw Diagnostic.failure(
        "the trainer's state is damaged: \(what)", file: path, field: field, remedy: remedy)
    }
  }

  /// A key as the file has it.
  private static func snakeCase(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }

  private static func describe(_ error: DecodingError) -> (field: String?, what: String) {
    func place(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String? {
      let keys = context.codingPath + (key.map { [$0] } ?? [])
      return keys.isEmpty ? nil : keys.map { snakeCase($0.stringValue) }.joined(separator: ".")
    }
    return switch error {
    case .typeMismatch(_, let context): (place(context), "the value is of another type")
    case .valueNotFound(_, let context): (place(context), "the value is missing")
    case .keyNotFound(let key, let context): (place(context, key), "is missing")
    case .dataCorrupted(let context): (place(context), "the value cannot be read")
    @unknown default: (nil, "it cannot be read")
    }
  }

  func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    var state = self
    state.format = Self.currentFormat
    do { try File.write(Array(try encoder.encode(state)) + [UInt8(ascii: "\n")], to: path) } catch is EncodingError {
      throw Diagnostic.failure("the trainer's state holds a number that is not finite", file: path)
    }
  }
}

// MARK: - What can be

extension TrainerState {
  /// What a run says of any state that belongs to it.
  package struct Bounds {
    /// Steps of the whole run.
    package var totalSteps: Int
    /// The state before the first step, which holds the settings and seeds of sampler and dropout.
    package var initial: TrainerState
    package var hasDropout: Bool
    /// Where the student writes in rounds.
    package var rounds: Rounds?

    package init(totalSteps: Int, initial: TrainerState, hasDropout: Bool, rounds: Rounds? = nil) {
      self.totalSteps = totalSteps
      self.initial = initial
      self.hasDropout = hasDropout
      self.rounds = rounds
    }
  }

  /// Refuses a state that the run cannot have come to.
  ///
  /// - Parameter step: The step that the checkpoint's folder is named after.
  /// - Throws: a `Diagnostic` of category `failure` with the field and its value.
  func check(against run: Bounds, step folderStep: Int, path: String, remedy: String) throws {
    func require(_ holds: Bool, _ field: String, _ what: @autoclosure () -> String) throws {
      guard !holds else { return }
      throw Diagnostic.failure(
        "\(what()): this state does not belong to the run, or is damaged", file: path, field: field, remedy: remedy)
    }
    try require(step == folderStep, "step", "is \(step) in the checkpoint of step \(folderStep)")
    try require((0...max(0, run.totalSteps)).contains(step), "step", "is \(step) of \(run.totalSteps)")
    let done = 0...step
    try require(done.contains(skippedSteps), "skipped_steps", "is \(skippedSteps) after step \(step)")
    try require(
      done.contains(optimizerSteps) && optimizerSteps + skippedSteps == step, "optimizer_steps",
      "is \(optimizerSteps) after step \(step), of which \(skippedSteps) were skipped")
    try require((0...Self.mostTokens).contains(tokens), "tokens", "is \(tokens)")
    try require(seconds.isFinite && seconds >= 0, "seconds", "is \(seconds)")
    for (name, count) in sources {
      try require(
        BatchSource(rawValue: name) != nil && done.contains(count), "sources", "has \(count) steps of \(name)")
    }
    let sum = sources.values.reduce(0, &+)
    try require(sum == step, "sources", "has \(sum) steps after step \(step)")
    try require((bestStep == nil) == (bestLoss == nil), "best_step", "comes without best_loss, or the other way round")
    try require(bestStep.map { $0 >= 1 && $0 <= step } ?? true, "best_step", "is \(bestStep ?? 0) after step \(step)")
    try require(bestLoss?.isFinite ?? true, "best_loss", "is \(bestLoss ?? 0)")
    try require(
      bestScore.map { (0...1).contains($0) && bestStep != nil } ?? true, "best_score", "is \(bestScore ?? 0)")
    try require(dropout.key == run.initial.dropout.key, "dropout", "is the stream of another seed")
    try require(run.hasDropout || dropout.position == 0, "dropout", "has moved in a run without dropout")
    if let rounds = run.rounds {
      let taken = rounds.taken(before: step)
      try require(
        replayVersion == taken, "replay_version",
        "is \(replayVersion) where the rounds of \(rounds.length) steps make it \(taken)")
    } else {
      let fresh = sources[BatchSource.fresh.rawValue] ?? 0
      try require(
        replayVersion >= fresh && (replayVersion == 0) == (fresh == 0), "replay_version",
        "is \(replayVersion) after \(fresh) generating steps")
    }
    if let staleness {
      try require(
        (0...1 << 40).contains(staleness.samples) && (0...1 << 40).contains(staleness.steps)
          && done.contains(staleness.most) && staleness.mean <= Double(staleness.most), "staleness",
        "has \(staleness.samples) samples, \(staleness.steps) steps in all and \(staleness.most) at most")
    }
    try require((sampler == nil) == (run.initial.sampler == nil), "sampler", "is there in one, not in the other")
    guard let sampler, let initial = run.initial.sampler else { return }
    try require(sampler.settings == initial.settings, "sampler.settings", "has other values than the configuration")
    try require(sampler.stream.key == initial.stream.key, "sampler.stream", "is the stream of another seed")
    try require(
      sampler.phi >= initial.phi && sampler.phi <= 1, "sampler.phi",
      "is \(sampler.phi), which is not in \(initial.phi)...1")
    try require(sampler.reference?.isFinite ?? true, "sampler.reference", "is \(sampler.reference ?? 0)")
  }

  /// Far more tokens than can be trained on, so that counting on does not leave the type.
  private static let mostTokens = 1 << 56
}
