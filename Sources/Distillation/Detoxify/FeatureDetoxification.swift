import Configuration
import Diagnostics
import Files
import Models
public import Provenance
public import Samples
import Sequences
import Teachers
import Telemetry
import Tensor
import Tokenizers

/// Step one of RobustKD (arXiv 2406.03409): a mask that draws a teacher's features toward their means over clean rows, where a backdoor's
/// features lie far from, while the teacher still says of those rows what it did. `precompute` keeps what is left of the features, which
/// `objective: {name: robustkd}` learns from.
///
/// The teacher itself stays as it is. Run again it starts over, and ends in the same bytes.
public struct FeatureDetoxification: Stage {
  /// A model directory, a GGUF file or a hub id of the local Hugging Face cache.
  public var teacher: String
  /// Rows that nobody can have tampered with.
  public var data: DataFiles
  public var format: RowFormat
  /// The file of means and masks.
  public var output: String
  /// Blocks after which features are drawn to their means: so many, spread evenly, the last among them; all where there are fewer.
  public var layers = 3
  /// The most that a mask may come to. At 0 features stay as they are.
  public var cap: Float = 0.2
  /// The weight of the features' variance beside the cross-entropy.
  public var varianceWeight: Float = 1
  public var steps = 200
  /// Rows of a step.
  public var batchSize = 16
  public var learningRate = 0.02
  public var seed: UInt64 = 1

  /// What was learnt.
  public struct Outcome: StageOutcome, Equatable {
    public var blocks: [Int]
    /// The mean of each block's mask.
    public var masks: [Double]
    /// Of the rows' scored tokens, nats, without the masks and with them.
    public var crossEntropyBefore: Double
    public var crossEntropyAfter: Double
    /// What became of the rows.
    public var account: RowAccount
  }

  public init(teacher: String, data: DataFiles, format: RowFormat = RowFormat(), output: String) {
    self.teacher = teacher
    self.data = data
    self.format = format
    self.output = output
  }

  /// Learns the masks and writes them.
  ///
  /// - Throws: a `Diagnostic` where rows do not fit or the masks diverge; `Interrupted` where a signal came.
  public func run() throws -> Outcome {
    try validate()
    EngineAnnouncement.print(.fp32)
    let (loaded, samples) = try Interruption.endingAtOnce { try load() }
    let configuration = loaded.model.configuration
    let blocks = configuration.blocks(spread: min(layers, configuration.layerCount))
    let rows = try CleanRows(samples, of: loaded.model)
    let learning = MaskLearning(rows, blocks: blocks, of: loaded, varianceWeight: varianceWeight, cap: cap)
    let (means, variances) = try learning.moments()
    let masks = learning.masks(means: means)
    let before = try learning.crossEntropy(masks)
    try learning.learn(
      masks, variances: variances, steps: steps, batchSize: batchSize, learningRate: learningRate, seed: seed)
    let after = try learning.crossEntropy(masks)
    try File.makeFolder(File.folder(of: output))
    try masks.mask.write(
      to: output,
      notes: ["cap": "\(cap)", "variance_weight": "\(varianceWeight)", "steps": "\(steps)", "seed": "\(seed)"])
    return Outcome(
      blocks: blocks,
      masks: masks.mask.layers.map { layer in
        layer.mask.value.array().reduce(0.0) { $0 + Double($1) } / Double(layer.mask.value.count)
      }, crossEntropyBefore: before, crossEntropyAfter: after, account: samples.account)
  }

  private func load() throws -> (LoadedModel, IndexedSamples) {
    let loaded = try ModelStore.load(teacher, trainable: false)
    let bundle = try TokenizerBundle(directory: loaded.directory)
    let source = try SampleSource(
      format, tokenizer: bundle, model: loaded.model.configuration, chat: format.chatTemplate(of: bundle.tokenizer))
    let samples = try source.samples(of: data, index: .temporary)
    try samples.check(SequenceLimits(loaded.model.configuration, role: "the teacher"), lastIsTarget: true)
    return (loaded, samples)
  }
}

// MARK: - As a stage

extension FeatureDetoxification {
  public static let name = "detoxify"
  public static let filled = [
    (key: "output", value: FilledValue.entry("mask.safetensors")), (key: "seed", value: .seed),
  ]

  public var productIsThere: Bool { File.exists(output) }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("teacher", model: teacher)
    try made.pinIfThere("data", rows: data)
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case teacher, data, output, layers, cap, steps, seed
    case varianceWeight = "variance_weight"
    case batchSize = "batch_size"
    case learningRate = "learning_rate"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      teacher: try keys.decode(.teacher), data: try keys.decode(.data), format: try RowFormat(from: decoder),
      output: try keys.decode(.output))
    layers = try keys.decode(.layers, default: layers)
    cap = try keys.decode(.cap, default: cap)
    varianceWeight = try keys.decode(.varianceWeight, default: varianceWeight)
    steps = try keys.decode(.steps, default: steps)
    batchSize = try keys.decode(.batchSize, default: batchSize)
    learningRate = try keys.decode(.learningRate, default: learningRate)
    seed = try keys.decode(.seed, default: seed)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(teacher, forKey: .teacher)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encode(output, forKey: .output)
    try keys.encode(layers, forKey: .layers)
    try keys.encode(cap, forKey: .cap)
    try keys.encode(varianceWeight, forKey: .varianceWeight)
    try keys.encode(steps, forKey: .steps)
    try keys.encode(batchSize, forKey: .batchSize)
    try keys.encode(learningRate, forKey: .learningRate)
    try keys.encode(seed, forKey: .seed)
  }

  public func validate() throws {
    try format.validate()
    try CodingKeys.layers.checkPositive(layers)
    try CodingKeys.cap.check(cap, in: 0...1)
    try CodingKeys.varianceWeight.checkNotNegative(varianceWeight)
    try CodingKeys.steps.checkPositive(steps)
    try CodingKeys.batchSize.checkPositive(batchSize)
    try CodingKeys.learningRate.checkFinite(learningRate)
    try CodingKeys.learningRate.checkAboveZero(learningRate)
  }
}
