import Configuration
public import Provenance
import Files
public import SyntheticData

/// Writes the project's own instruction data with its tokenizer.
public struct Synthesis: Stage {
  /// Rows of each split.
  public var sizes = InstructionGenerator.Sizes()
  /// Entries of the byte-level BPE.
  public var vocabularySize = 1_200
  /// Decides every row.
  public var seed: UInt64 = 1
  /// The folder to write.
  public var output: String

  /// How a run ended.
  public struct Outcome: StageOutcome, Equatable {
    /// Rows written.
    public var rows: Int
  }

  public init(output: String) { self.output = output }

  /// Writes `teacher.jsonl`, `train.jsonl`, `dev.jsonl`, `test.jsonl`, `tokenizer.json` and `tokenizer_config.json`.
  ///
  /// - Throws: a `Diagnostic` where a size does not fit or the folder cannot be written.
  @discardableResult
  public func run() throws -> Outcome {
    try validate()
    let rows = try InstructionGenerator(seed: seed).rows(sizes)
    try InstructionSet.write(rows, to: output)
    try InstructionSet.writeTokenizer(learntFrom: rows, vocabularySize: vocabularySize, to: output)
    return Outcome(rows: rows.values.reduce(0) { $0 + $1.count })
  }
}

// MARK: - As a stage

extension Synthesis {
  public static let name = "synthesize"
  public static let filled = [(key: "output", value: FilledValue.folder), (key: "seed", value: .seed)]

  public var productIsThere: Bool { File.exists("\(output)/tokenizer.json") }

  public func inputs() -> Provenance { Provenance() }

  private enum CodingKeys: String, CodingKey {
    case teacher, train, dev, test, seed, output
    case vocabularySize = "vocabulary_size"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(output: try keys.decode(.output))
    sizes.teacher = try keys.decode(.teacher, default: sizes.teacher)
    sizes.train = try keys.decode(.train, default: sizes.train)
    sizes.dev = try keys.decode(.dev, default: sizes.dev)
    sizes.test = try keys.decode(.test, default: sizes.test)
    vocabularySize = try keys.decode(.vocabularySize, default: vocabularySize)
    seed = try keys.decode(.seed, default: seed)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(sizes.teacher, forKey: .teacher)
    try keys.encode(sizes.train, forKey: .train)
    try keys.encode(sizes.dev, forKey: .dev)
    try keys.encode(sizes.test, forKey: .test)
    try keys.encode(vocabularySize, forKey: .vocabularySize)
    try keys.encode(seed, forKey: .seed)
    try keys.encode(output, forKey: .output)
  }

  public func validate() throws {
    let rows = 0...InstructionGenerator.largestSplit
    try CodingKeys.teacher.check(sizes.teacher, in: rows)
    try CodingKeys.train.check(sizes.train, in: rows)
    try CodingKeys.dev.check(sizes.dev, in: rows)
    try CodingKeys.test.check(sizes.test, in: rows)
    try CodingKeys.vocabularySize.check(vocabularySize, in: InstructionSet.vocabularySizes)
  }
}
