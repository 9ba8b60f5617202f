import Diagnostics
import Distillation
import Fingerprints
import Telemetry

/// Runs a pipeline's stages in order, each skipped where its product is already there.
public struct PipelineRunner: Sendable {
  /// One stage's part in a run.
  public struct StageOutcome: Sendable, Equatable {
    public var name: String
    public var folder: String
    public var skipped: Bool
    /// Wall time of the sitting that finished the stage.
    public var seconds: Double
    /// What the stage prints, such as a table.
    public var text: String?
  }

  public let file: PipelineFile

  public init(_ file: PipelineFile) { self.file = file }

  /// Runs what is missing.
  ///
  /// - Returns: the stages in order; fewer than the pipeline has where a signal stopped it.
  public func run() throws -> [StageOutcome] {
    var outcomes: [StageOutcome] = []
    do {
      for index in file.pipeline.stages.indices { outcomes.append(try outcome(of: index, after: outcomes)) }
    } catch is Interrupted {}
    return outcomes
  }

  /// Finds a stage's product, or makes it.
  ///
  /// - Throws: `Interrupted` where a signal stopped it.
  private func outcome(of index: Int, after outcomes: [StageOutcome]) throws -> StageOutcome {
    let stage = file.pipeline.stages[index]
    let folder = "\(file.pipeline.output)/\(stage.name)"
    let fingerprint = Fingerprint(of: file.stageTexts[index])
    let label = "stage \(index + 1) of \(file.pipeline.stages.count), \(stage.name)"
    let record = try Interruption.endingAtOnce {
      try StageRecord.find(in: folder, configuration: fingerprint, inputs: stage.work.inputs)
    }
    if let record, stage.work.productIsThere(in: folder) {
      Log.info("\(label): its product is there")
      return StageOutcome(
        name: stage.name, folder: folder, skipped: true, seconds: record.seconds,
        text: try stage.work.savedText(in: folder))
    }
    Log.info("\(label): \(folder)")
    let start = ContinuousClock.now
    let inputs = try Interruption.endingAtOnce(stage.work.inputs)
    let result = try stage.work.run(in: folder, seed: file.pipeline.seed, before: outcomes)
    guard case .done(let text) = result else { throw Interrupted() }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    try StageRecord(configuration: fingerprint.description, seconds: seconds).write(to: folder, inputs: inputs)
    return StageOutcome(name: stage.name, folder: folder, skipped: false, seconds: seconds, text: text)
  }
}
