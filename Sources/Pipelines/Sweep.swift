import Configuration
public import Distillation
import Diagnostics
import Evaluation
import Files
import FoundationEssentials
import Models
import Samples
import Telemetry
import Training
import Training

/// One training run for each of several learning rates; of each run the checkpoint with the lowest validation loss counts,
/// and between the runs the validation rows decide.
public struct SweepConfiguration: Sendable, Decodable {
  /// What decides between the runs, on the validation rows.
  public enum Selection: String, Sendable, Decodable, CaseIterable {
    /// Cross-entropy of the reference responses: lower is better.
    case nll
    /// ROUGE-L F1 of greedy responses: higher is better.
    case rougeL = "rouge_l"
  }

  public var learningRates: [Double]
  public var selection: Selection
  /// Longest greedy response where ROUGE-L decides, tokens.
  public var maximumNewTokens: Int
  /// The run; its learning rate is replaced.
  public var train: TrainingConfiguration

  private enum CodingKeys: String, CodingKey {
    case train
    case learningRates = "learning_rates"
    case selection = "select"
    case maximumNewTokens = "max_new_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    learningRates = try keys.decode([Double].self, forKey: .learningRates)
    selection = try keys.decodeIfPresent(Selection.self, forKey: .selection) ?? .nll
    maximumNewTokens = try keys.count(.maximumNewTokens, in: 1...Limits.sequence) ?? 128
    train = try keys.decode(TrainingConfiguration.self, forKey: .train)
    guard !learningRates.isEmpty, Set(learningRates).count == learningRates.count,
      learningRates.allSatisfy({ $0.isFinite && $0 > 0 })
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .learningRates, in: keys, debugDescription: "give at least one learning rate above 0, each once")
    }
  }
}

/// Runs a sweep. The chosen model is reached through the link `best` in the output folder.
public struct Sweep: Sendable {
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

  let configuration: SweepConfiguration
  let output: String

  public init(_ configuration: SweepConfiguration, output: String) {
    self.configuration = configuration
    self.output = output
  }

  /// Trains what is missing, resuming where a run was cut off.
  ///
  /// - Returns: the runs, the chosen one first; nil where a signal stopped it.
  /// - Throws: a `Diagnostic` of a run or its evaluation; `Interrupted` where a signal came during an evaluation.
  public func run() throws -> [Entry]? {
    guard let validation = configuration.train.data.validation else {
      throw Diagnostic.input(
        "a sweep chooses on validation rows", field: "sweep.train.data.validation", remedy: "name a file of rows")
    }
    var entries: [Entry] = []
    for rate in configuration.learningRates {
      var train = configuration.train
      train.training.learningRate = rate
      let name = "lr-\(rate)"
      Log.info("\(output): learning rate \(rate)")
      guard try !Trainer.train(train, output: "\(output)/\(name)", resume: true).interrupted else { return nil }
      let model = RunFolder("\(output)/\(name)").best
      entries.append(Entry(learningRate: rate, score: try score(model: model, rows: validation), folder: name))
    }
    let higherIsBetter = configuration.selection == .rougeL
    entries.sort { higherIsBetter ? $0.score > $1.score : $0.score < $1.score }
    try File.link("\(output)/best", to: "\(entries[0].folder)/checkpoints/best")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try File.write(Array(try encoder.encode(entries)), to: "\(output)/sweep.json")
    return entries
  }

  private func score(model: String, rows: DataFiles) throws -> Double {
    var evaluation = ModelEvaluation(model: model, data: rows, format: configuration.train.data.format)
    evaluation.limit = configuration.train.validation.limit
    if configuration.selection == .rougeL { evaluation.maximumNewTokens = configuration.maximumNewTokens }
    let report = try evaluation.run()
    return configuration.selection == .rougeL ? report.responses?.rougeL ?? 0 : report.nll
  }
}
