public import Configuration
import Diagnostics
import Generation
public import Methods
public import Samples
public import Tensor
public import Training

/// Everything that decides a training run: the `train` verb's YAML file, one struct a section.
///
/// Unknown keys are errors. Paths are relative to the working folder.
public struct TrainingConfiguration: Sendable, Codable {
  /// Seeds every random stream of the run.
  public var seed: UInt64 = 1
  /// Of the matrix products of student and teacher; the student's master weights are fp32 in both.
  public var precision = Precision.fp32
  public var student: StudentConfiguration
  /// Absent for plain fine-tuning (`objective: {name: sft}`).
  public var teacher: TeacherConfiguration?
  public var data: DataConfiguration
  /// The method, and its own keys.
  public var objective = MethodChoice(SupervisedFineTuning.Settings())
  public var training: ScheduleConfiguration
  public var validation = ValidationConfiguration()
  public var checkpoints = CheckpointConfiguration()
  /// Absent: train on the fixed data only.
  public var replay: ReplayConfiguration?

  private enum CodingKeys: String, CodingKey {
    case seed, precision, student, teacher, data, objective, training, validation, checkpoints, replay
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    seed = try keys.value(.seed, default: seed)
    precision = try keys.value(.precision, default: precision)
    student = try keys.decode(StudentConfiguration.self, forKey: .student)
    teacher = try keys.decodeIfPresent(TeacherConfiguration.self, forKey: .teacher)
    data = try keys.decode(DataConfiguration.self, forKey: .data)
    objective = try keys.value(.objective, default: objective)
    training = try keys.decode(ScheduleConfiguration.self, forKey: .training)
    validation = try keys.value(.validation, default: validation)
    checkpoints = try keys.value(.checkpoints, default: checkpoints)
    replay = try keys.decodeIfPresent(ReplayConfiguration.self, forKey: .replay)
  }
}

/// What the student starts from: exactly one of `from`, `config` and `layers`.
public struct StudentConfiguration: Sendable, Codable {
  /// A model directory or hub id whose weights the student starts from.
  public var from: String?
  /// A `config.json` to initialise at random: its path, or its keys in place.
  public var config: FreeForm?
  /// Layers of the teacher, in order, that the student is made of; embeddings, final norm and head come along.
  public var layers: [Int]?
  /// Folder of the tokenizer, where it is not the one of `from` or of the teacher.
  public var tokenizer: String?

  private enum CodingKeys: String, CodingKey { case from, config, layers, tokenizer }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    from = try keys.decodeIfPresent(String.self, forKey: .from)
    config = try keys.decodeIfPresent(FreeForm.self, forKey: .config)
    layers = try keys.decodeIfPresent([Int].self, forKey: .layers)
    tokenizer = try keys.decodeIfPresent(String.self, forKey: .tokenizer)
    let given = [from != nil, config != nil, layers != nil].filter { $0 }.count
    guard given == 1 else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "give exactly one of `from`, `config` and `layers`"))
    }
  }
}

/// Where the teacher's distributions come from.
public struct TeacherConfiguration: Sendable, Codable {
  /// The teacher's model directory or hub id; needed for `live`, for replay and for `student: {layers}`.
  public var model: String?
  /// The cache that `precompute` wrote.
  public var cache: String?
  /// Compute the teacher's dense logits at each step instead of reading the cache.
  public var live = false
  /// Entries kept per position when student outputs are scored; the cache's own value where there is a cache.
  public var topK: Int?

  private enum CodingKeys: String, CodingKey {
    case model, cache, live
    case topK = "top_k"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    model = try keys.decodeIfPresent(String.self, forKey: .model)
    cache = try keys.decodeIfPresent(String.self, forKey: .cache)
    live = try keys.value(.live, default: live)
    topK = try keys.count(.topK, in: 1...Limits.count)
  }
}

/// Which rows are trained on and validated with.
public struct DataConfiguration: Sendable, Codable {
  /// Training rows: files and patterns, or several data sets with weights.
  public var train: WeightedData
  /// Validation rows; without them nothing is validated and phi never rises.
  public var validation: DataFiles?
  /// How rows become tokens; its keys stand beside `train` and `validation`.
  public var format: RowFormat

  private enum CodingKeys: String, CodingKey { case train, validation }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    train = try keys.decode(WeightedData.self, forKey: .train)
    validation = try keys.decodeIfPresent(DataFiles.self, forKey: .validation)
    format = try RowFormat(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(train, forKey: .train)
    try keys.encodeIfPresent(validation, forKey: .validation)
    try format.encode(to: encoder)
  }
}

/// How the rows of a file become token sequences.
public struct RowFormat: Sendable, Codable {
  /// How a row becomes the text of a prompt and a response.
  public var template = Template.plain
  /// What ends a response, where it is not to be what template, teacher, tokenizer and model say.
  public var endOfText: EndOfText.Choice?
  /// Names of the row's fields where they differ from the usual ones.
  public var fields = FieldNames()
  /// Divides the rows of a plain text file: `line`, `blank-line`, `file` or `literal:TEXT`.
  public var separator: String?
  /// Longest sample in tokens, special tokens included; the model's context where absent.
  public var maximumLength: Int?
  /// What happens to a prompt that leaves no room for a response.
  public var longPrompts = SampleBuilder.LongPrompts.refuse
  /// What happens to a row with an empty response.
  public var emptyResponses = Dataset.EmptyResponses.refuse

  private enum CodingKeys: String, CodingKey {
    case template, fields, separator
    case endOfText = "end_of_text"
    case maximumLength = "max_length"
    case longPrompts = "long_prompts"
    case emptyResponses = "empty_responses"
  }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    template = try keys.value(.template, default: template)
    endOfText = try keys.decodeIfPresent(EndOfText.Choice.self, forKey: .endOfText)
    fields = try keys.value(.fields, default: fields)
    separator = try keys.decodeIfPresent(String.self, forKey: .separator)
    maximumLength = try keys.count(.maximumLength, in: 2...Limits.sequence)
    longPrompts = try keys.value(.longPrompts, default: longPrompts)
    emptyResponses = try keys.value(.emptyResponses, default: emptyResponses)
  }
}

/// Adaptive off-policy training on the student's own outputs (DistiLLM, arXiv 2402.03898, Algorithm 1).
public struct ReplayConfiguration: Sendable, Codable {
  public var sampler = AdaptiveSampler.Settings()
  public var decoding = DecodingConfiguration()

  private enum CodingKeys: String, CodingKey {
    case epsilon, ratio, comparison, capacity
    case initialPhi = "initial_phi"
    case phiSteps = "phi_steps"
    case freshBatch = "fresh_batch"
    case warmFill = "warm_fill"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    sampler.initialPhi = try keys.decode(.initialPhi, default: sampler.initialPhi, in: 0...1)
    sampler.epsilon = try keys.finite(.epsilon, default: sampler.epsilon)
    sampler.phiSteps = try keys.positive(.phiSteps, default: sampler.phiSteps)
    sampler.ratio = try keys.value(.ratio, default: sampler.ratio)
    sampler.comparison = try keys.value(.comparison, default: sampler.comparison)
    sampler.freshBatch = try keys.value(.freshBatch, default: sampler.freshBatch)
    sampler.warmFill = try keys.value(.warmFill, default: sampler.warmFill)
    sampler.capacity = try keys.positive(.capacity, default: sampler.capacity)
    decoding = try DecodingConfiguration(from: decoder)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(sampler.initialPhi, forKey: .initialPhi)
    try keys.encode(sampler.epsilon, forKey: .epsilon)
    try keys.encode(sampler.phiSteps, forKey: .phiSteps)
    try keys.encode(sampler.ratio, forKey: .ratio)
    try keys.encode(sampler.comparison, forKey: .comparison)
    try keys.encode(sampler.freshBatch, forKey: .freshBatch)
    try keys.encode(sampler.warmFill, forKey: .warmFill)
    try keys.encode(sampler.capacity, forKey: .capacity)
    try decoding.encode(to: encoder)
  }
}

/// How responses are sampled; its keys stand beside those of the section that uses it.
public struct DecodingConfiguration: Sendable, Equatable, Codable {
  public var maximumNewTokens = 128
  /// 0 is greedy.
  public var temperature: Float = 1
  public var topP: Float = 1
  /// 0 is off.
  public var topK = 0

  private enum CodingKeys: String, CodingKey {
    case temperature
    case maximumNewTokens = "max_new_tokens"
    case topP = "top_p"
    case topK = "sample_top_k"
  }

  public init() {}

  /// The same as the sampler's settings.
  var settings: SamplingSettings {
    SamplingSettings(temperature: temperature, topP: topP, topK: topK, maximumNewTokens: maximumNewTokens)
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    maximumNewTokens = try keys.decode(.maximumNewTokens, default: maximumNewTokens, in: 1...Limits.sequence)
    temperature = try keys.notNegative(.temperature, default: temperature)
    topP = try keys.decode(.topP, default: topP, in: 1e-6...1)
    topK = try keys.notNegative(.topK, default: topK)
  }
}

extension DecodingConfiguration: CustomStringConvertible {
  /// Every setting by its key: what a result that depends on them is pinned by.
  public var description: String {
    "max_new_tokens \(maximumNewTokens), temperature \(temperature), top_p \(topP), sample_top_k \(topK)"
  }
}
