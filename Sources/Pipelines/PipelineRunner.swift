import Diagnostics
import Distillation
import Files
import Fingerprints
import Telemetry

/// Runs a pipeline's stages in order, each skipped where its product is already there.
public struct PipelineRunner: Sendable {
  /// One stage's part in a run.
  public struct Part: Sendable, Equatable {
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
  public func run() throws -> [Part] {
    var outcomes: [Part] = []
    do {
      for index in file.pipeline.stages.indices { outcomes.append(try outcome(of: index, after: outcomes)) }
    } catch is Interrupted {}
    return outcomes
  }

  /// Finds a stage's product, or makes it.
  ///
  /// - Throws: `Interrupted` where a signal stopped it.
  private func outcome(of index: Int, after outcomes: [Part]) throws -> Part {
    let entry = file.pipeline.stages[index], identity = file.identities[index]
    let label = "stage \(index + 1) of \(file.pipeline.stages.count), \(entry.name)"
    let record = try Interruption.endingAtOnce {
      try StageRecord.find(in: entry.folder, identity: identity, inputs: entry.stage.inputs)
    }
    if let record, entry.stage.productIsThere {
      Log.info("\(label): its product is there")
      return Part(
        name: entry.name, folder: entry.folder, skipped: true, seconds: record.seconds, text: try entry.stage.shown())
    }
    Log.info("\(label): \(entry.folder)")
    let start = ContinuousClock.now
    let inputs = try Interruption.endingAtOnce(entry.stage.inputs)
    var stage = entry.stage
    if let concluding = stage as? any ConcludingStage { stage = concluding.concluding(outcomes) }
    try run(stage, in: entry.folder)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    try StageRecord(identity, seconds: seconds).write(to: entry.folder, inputs: inputs)
    return Part(
      name: entry.name, folder: entry.folder, skipped: false, seconds: seconds, text: try entry.stage.shown())
  }

  /// Does a stage's work in its folder, which goes again where nothing was put into it.
  private func run(_ stage: any Stage, in folder: String) throws {
    let isNew = !File.exists(folder)
    try File.makeFolder(folder)
    do {
      if try stage.run().interrupted { throw Interrupted() }
    } catch {
      if isNew, (try? File.list(folder).isEmpty) == true { try? File.remove(folder) }
      throw error
    }
  }
}

/// A stage whose product ends with what its pipeline did before it.
protocol ConcludingStage: Stage {
  /// The same stage, told of those that came before.
  func concluding(_ before: [PipelineRunner.Part]) -> Self
}

extension Comparison: ConcludingStage {
  /// With the time of every stage and where things lie below the table.
  func concluding(_ before: [PipelineRunner.Part]) -> Comparison {
    var copy = self
    copy.footer = ["time: " + before.map { "\($0.name) \(Readable.duration($0.seconds))" }.joined(separator: ", ")]
    if let folder = before.first?.folder { copy.footer.append("everything lies in \(File.folder(of: folder))") }
    return copy
  }
}
