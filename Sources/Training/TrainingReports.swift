import Evaluation
import JSON
import Methods
import Telemetry

/// What one step is reported with.
struct StepMetrics: Sendable {
  /// Steps done, this one included.
  var step: Int
  var source: BatchSource
  var loss: StepLoss
  /// Of the student's gradients, and those that are clipped with them, before clipping.
  var gradientNorm: Float
  var learningRate: Float
  var phi: Double?
  /// Of the samples that the student wrote.
  var staleness: [Int]
  var skipped: Bool
  var offender: String?
  var seconds: Double

  var tokensPerSecond: Double { Double(loss.tokens) / max(seconds, 1e-9) }
}

/// A run's voices: progress on standard error, `metrics.jsonl` and TensorBoard events in its folder.
final class TrainingReports {
  private let folder: RunFolder
  private let metrics: MetricsLog
  private let events: EventFile
  private let progress: Progress
  /// The key that tells a validation's entry from a step's.
  private static let validationLoss = "validation_loss"

  /// - Parameter resumed: The state of the checkpoint that the run goes on from, nil for a new run.
  init(folder: RunFolder, total: Int, resumed: TrainerState?, logEvery: Int) throws {
    self.folder = folder
    metrics = try MetricsLog(
      path: folder.metrics, resumingAfter: resumed?.step,
      without: resumed?.validationDue == true ? Self.validationLoss : nil)
    if let resumed, let gap = metrics.gap(before: resumed.step, every: logEvery) { Log.warning(gap) }
    events = try EventFile(folder: folder.path, resumingAfter: resumed?.step)
    progress = Progress("train", total: total, unit: "steps", rateUnit: "tokens", done: resumed?.step ?? 0)
  }

  /// Says what was loaded and how much memory the run will take, or why that is too much.
  static func announce(_ summary: [String], _ forecast: MemoryForecast, shortage: String?) {
    for line in summary { Log.info(line) }
    Log.info("memory: \(forecast)")
    if let shortage { Log.warning(shortage) }
  }

  func started(state: TrainerState) {
    if state.step > 0 { Log.info("resuming \(folder.path) at step \(state.step)") }
  }

  /// - Parameter terms: Parts of the loss that stand first, whether or not the step has them.
  func stepped(_ step: StepMetrics, terms: [String], logEvery: Int) throws {
    let loss = Readable.decimals(step.loss.objective, 4)
    progress.advance(work: step.loss.tokens, message: "loss \(loss), \(step.source.rawValue)")
    if step.skipped {
      Log.warning("step \(step.step) skipped: the loss of \(step.offender ?? "a sample") is not finite")
    }
    guard step.step.isMultiple(of: logEvery) || step.skipped else { return }
    var object: JSONObject = [
      "step": .integer(Int64(step.step)), "source": .string(step.source.rawValue),
      "learning_rate": .double(Double(step.learningRate)),
      "scored_positions": .integer(Int64(step.loss.scoredPositions)),
    ]
    let names = terms + step.loss.terms.map(\.name).filter { !terms.contains($0) }
    let measured = (names.map { ($0, step.loss.mean($0)) } + [("gradient_norm", Double(step.gradientNorm))])
      .filter(\.1.isFinite)
    for (name, value) in measured { object[name] = .double(value) }
    if step.skipped { object["skipped"] = .bool(true) }
    if let phi = step.phi { object["phi"] = .double(phi) }
    if !step.staleness.isEmpty { object["staleness"] = .double(Staleness().adding(step.staleness).mean) }
    try metrics.append(object)
    let clocked = [("learning_rate", Double(step.learningRate)), ("tokens_per_second", step.tokensPerSecond)]
    try events.append(step: step.step, (measured + clocked).map { (tag: "train/\($0)", value: $1) })
  }

  func validated(step: Int, _ result: ValidationResult, phi: Double?) throws {
    let responses = result.responses
    Log.info(
      "step \(step): validation loss \(Readable.decimals(result.loss, 4))"
        + (responses.map {
          ", ROUGE-L \(Readable.decimals($0.rougeL, 4)), exact \(Readable.decimals($0.exactMatch, 4))"
        } ?? "") + (result.vectors?.description ?? "") + (phi.map { ", phi \(Readable.decimals($0, 2))" } ?? ""))
    var object: JSONObject = ["step": .integer(Int64(step)), Self.validationLoss: .double(result.loss)]
    var scalars = [(tag: "validation/loss", value: result.loss)]
    if let responses {
      object["validation_rouge_l"] = .double(responses.rougeL)
      object["validation_exact_match"] = .double(responses.exactMatch)
      scalars += [("validation/rouge_l", responses.rougeL), ("validation/exact_match", responses.exactMatch)]
    }
    for (name, value) in result.vectors?.entries ?? [] {
      object["validation_\(name)"] = .double(value)
      scalars.append(("validation/\(name)", value))
    }
    if let phi { object["phi"] = .double(phi) }
    try metrics.append(object)
    try events.append(step: step, scalars)
  }

  /// Makes everything reported so far durable.
  func synchronize() throws {
    try metrics.synchronize()
    try events.synchronize()
  }

  func finished(state: TrainerState, total: Int, stepPeakBytes: Int) throws {
    progress.finish()
    try synchronize()
    let (peak, step) = (Readable.mebibytes(ProcessMemory.peak), Readable.mebibytes(stepPeakBytes))
    Log.info("memory: \(peak) MiB at its peak; the largest step took \(step)")
    if let staleness = state.staleness {
      Log.info(
        "what the student wrote was learnt \(Readable.decimals(staleness.mean, 1)) steps later on average, "
          + "\(staleness.most) at most")
    }
    if state.step < total || state.validationDue == true {
      Log.info("stopped at step \(state.step) of \(total); resuming the run goes on from there")
    } else {
      Log.info("trained \(total) steps; the model is in \(folder.last)")
    }
  }
}

extension VectorAgreement {
  /// Such as `, recall@1 0.9120, Spearman 0.8800`.
  fileprivate var description: String {
    ", recall@1 \(Readable.decimals(recallAt1, 4))" + (spearman.map { ", Spearman \(Readable.decimals($0, 4))" } ?? "")
  }
}
