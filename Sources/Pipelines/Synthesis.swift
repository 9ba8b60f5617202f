public import SyntheticData

/// Writes the project's own instruction set with its tokenizer.
public struct Synthesis: Sendable {
  let configuration: SynthesizeConfiguration
  let seed: UInt64

  public init(_ configuration: SynthesizeConfiguration, seed: UInt64) {
    self.configuration = configuration
    self.seed = seed
  }

  /// Writes `teacher.jsonl`, `train.jsonl`, `dev.jsonl`, `test.jsonl`, `tokenizer.json` and `tokenizer_config.json`.
  ///
  /// - Returns: rows written.
  /// - Throws: a `Diagnostic` where a size does not fit or the folder cannot be written.
  @discardableResult
  public func write(to folder: String) throws -> Int {
    let rows = try InstructionGenerator(seed: seed).rows(configuration.sizes)
    try InstructionSet.write(rows, to: folder)
    try InstructionSet.writeTokenizer(
      learntFrom: rows, vocabularySize: configuration.vocabularySize, to: folder)
    return rows.values.reduce(0) { $0 + $1.count }
  }
}

/// `synthesize`: writes the project's own instruction data and its tokenizer.
public struct SynthesizeConfiguration: Sendable, Decodable {
  /// Rows of each split.
  public var sizes = InstructionGenerator.Sizes()
  /// Entries of the byte-level BPE.
  public var vocabularySize = 1_200

  private enum CodingKeys: String, CodingKey {
    case teacher, train, dev, test
    case vocabularySize = "vocabulary_size"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    sizes.teacher = try keys.decodeIfPresent(Int.self, forKey: .teacher) ?? sizes.teacher
    sizes.train = try keys.decodeIfPresent(Int.self, forKey: .train) ?? sizes.train
    sizes.dev = try keys.decodeIfPresent(Int.self, forKey: .dev) ?? sizes.dev
    sizes.test = try keys.decodeIfPresent(Int.self, forKey: .test) ?? sizes.test
    vocabularySize = try keys.decodeIfPresent(Int.self, forKey: .vocabularySize) ?? vocabularySize
  }
}
