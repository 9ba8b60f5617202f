import Configuration
import Diagnostics
import Evaluation
public import Provenance
import Files
import FoundationEssentials
import Samples
import Telemetry
import Training

/// One training run for each of several learning rates; of each run the checkpoint with the lowest validation loss counts,
/// and between the runs the validation rows decide. The chosen model is reached through the link `best` in the output
/// folder.
public struct Sweep: Stage {
  /// What decides between the runs, on the validation rows.
  public enum Selection: String, Sendable, Codable, CaseIterable {
    /// Cross-entropy of the reference responses: lower is better.
    case nll
    /// ROUGE-L F1 of greedy responses: higher is better.
    case rougeL = "rouge_l"
  }

  /// One run and its score.
  public struct Entry: Sendable, Codable, Equatable {
    public var learningRate: Double
    /// In the selection's measure.
    public var score: Double
    public var folder: String

    private enum CodingKeys: String, CodingKey {
      case score, folder
      case learningRate = "learning_rate"
    }
  }

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    /// The runs, the chosen one first; empty where a signal stopped the sweep.
    public var entries: [Entry]
    public var interrupted: Bool
  }

  /// At least one, none twice.
  public var learningRates: [Double]
  public var selection = Selection.nll
  /// Longest greedy response where ROUGE-L decides, tokens.
  public var maximumNewTokens = 128
  /// The run; its learning rate is replaced.
  public var train: TrainingConfiguration
  /// The folder that holds a run folder for each rate.
  public var output: String

  public init(learningRates: [Double], train: TrainingConfiguration, output: String) {
    self.learningRates = learningRates
    self.train = train
    self.output = output
  }

  /// Trains what is missing, resuming where a run was cut off.
  ///
  /// - Throws: a `Diagnostic` of a run or its evaluation; `Interrupted` where a signal came during an evaluation.
  public func run() throws -> Outcome {
    try validate()
    guard let validation = train.data.validation else {
      throw Diagnostic.input(
        "a sweep chooses on validation rows", field: "train.data.validation", remedy: "name a file of rows")
    }
    var entries: [Entry] = []
    for rate in learningRates {
      var train = train
      train.training.learningRate = rate
      let name = "lr-\(rate)"
      Log.info("\(output): learning rate \(rate)")
      var run = StudentTraining(train, output: "\(output)/\(name)")
      run.resume = true
      guard try !run.run().interrupted else {
        return Outcome(entries: [], interrupted: true)
      }
      let model = RunFolder("\(output)/\(name)").best
      entries.append(Entry(learningRate: rate, score: try score(model: model, rows: validation), folder: name))
    }
    let higherIsBetter = selection == .rougeL
    entries.sort { higherIsBetter ? $0.score > $1.score : $0.score < $1.score }
    try File.link("\(output)/best", to: "\(entries[0].folder)/checkpoints/best")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try File.write(Array(try encoder.encode(entries)), to: "\(output)/sweep.json")
    return Outcome(entries: entries, interrupted: false)
  }

  private func score(model: String, rows: DataFiles) throws -> Double {
    var evaluation = ModelEvaluation(model: model, data: rows, format: train.data.format)
    evaluation.limit = train.validation.limit
    evaluation.generate = selection == .rougeL
    evaluation.maximumNewTokens = maximumNewTokens
    let report = try evaluation.run()
    return selection == .rougeL ? report.responses?.rougeL ?? 0 : report.nll
  }
}

// MARK: - As a stage

extension Sweep {
  public static let name = "sweep"
  public static let filled = [(key: "output", value: FilledValue.folder)]

  public var productIsThere: Bool { File.exists("\(output)/best/config.json") }

  public func inputs() throws -> Provenance { try train.inputs() }

  private enum CodingKeys: String, CodingKey {
    case train, output
    case learningRates = "learning_rates"
    case selection = "select"
    case maximumNewTokens = "max_new_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      learningRates: try keys.decode(.learningRates), train: try keys.decode(.train), output: try keys.decode(.output))
    selection = try keys.decode(.selection, default: selection)
    maximumNewTokens = try keys.decode(.maximumNewTokens, default: maximumNewTokens)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(learningRates, forKey: .learningRates)
    try keys.encode(selection, forKey: .selection)
    try keys.encode(maximumNewTokens, forKey: .maximumNewTokens)
    try keys.encode(train, forKey: .train)
    try keys.encode(output, forKey: .output)
  }

  public func validate() throws {
    guard !learningRates.isEmpty, Set(learningRates).count == learningRates.count,
      learningRates.allSatisfy({ $0.isFinite && $0 > 0 })
    else {
      throw Diagnostic.input(
        "give at least one learning rate above 0, each once", field: CodingKeys.learningRates.stringValue)
    }
    try CodingKeys.maximumNewTokens.check(maximumNewTokens, in: 1...Limits.sequence)
    try CodingKeys.train.within(train.validate)
  }
}
