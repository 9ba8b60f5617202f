public import Divergences
import Generation
public import Configuration
import Diagnostics
public import Optimizers
public import Samples
public import Tensor

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
  public var objective = ObjectiveConfiguration()
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

/// The loss: `divergence_weight` D(teacher, student) + `cross_entropy_weight` CE on the data's own tokens.
public struct ObjectiveConfiguration: Sendable, Codable {
  /// What the student is compared with its teacher by; nil for `sft`, cross-entropy alone.
  public var divergence: Divergence?
  public var divergenceWeight: Float = 1
  /// 1 for `sft`, else 0 unless it is given. Applies to the fixed data only: on student outputs it would teach the
  /// student to copy itself.
  public var crossEntropyWeight: Float = 1
  /// As the file gives them; a divergence that takes neither is written down with them all the same.
  private var parameters = DivergenceParameters()

  private enum CodingKeys: String, CodingKey {
    case name, alpha, beta
    case divergenceWeight = "divergence_weight"
    case crossEntropyWeight = "cross_entropy_weight"
  }

  public init() {}

  /// What a pipeline calls it.
  var name: String { divergence?.name ?? Name.sft.rawValue }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let name = try keys.decode(Name.self, forKey: .name)
    do {
      parameters = try DivergenceParameters(
        [(CodingKeys.alpha, Divergence.alpha), (.beta, Divergence.beta)].map { key, parameter in
          let value = try keys.value(key, default: parameter.standard)
          try parameter.check(value)
          return (parameter, value)
        })
      divergence = name == .sft ? nil : try Divergence(named: name.rawValue, parameters)
    } catch let fault as Diagnostic where fault.file == nil {
      guard let key = fault.field.flatMap(CodingKeys.init) else { throw fault }
      throw keys.fault(key, fault.message, remedy: fault.remedy)
    }
    divergenceWeight = try keys.finite(.divergenceWeight, default: divergenceWeight)
    crossEntropyWeight = try keys.finite(.crossEntropyWeight, default: divergence != nil ? 0 : 1)
    let trains = divergence != nil && divergenceWeight > 0 || crossEntropyWeight > 0
    guard trains && divergenceWeight >= 0 && crossEntropyWeight >= 0 else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "the weights must not be negative, nor all zero"))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    let written = divergence.map { parameters.overridden(by: $0.parameters) } ?? parameters
    try keys.encode(name, forKey: .name)
    try keys.encode(written[Divergence.alpha], forKey: .alpha)
    try keys.encode(written[Divergence.beta], forKey: .beta)
    try keys.encode(divergenceWeight, forKey: .divergenceWeight)
    try keys.encode(crossEntropyWeight, forKey: .crossEntropyWeight)
  }

  /// `sft`, or a row of ``Divergence/table``.
  private struct Name: RawRepresentable, CaseIterable, Codable, Equatable, Sendable {
    let rawValue: String

    static let sft = Name(unchecked: "sft")
    static var allCases: [Name] { [sft] + Divergence.names.map(Name.init(unchecked:)) }

    init?(rawValue: String) {
      guard let known = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
      self = known
    }

    private init(unchecked rawValue: String) { self.rawValue = rawValue }
  }
}

/// Steps, batches and the optimizer.
public struct ScheduleConfiguration: Sendable, Codable {
  /// Optimizer steps; exactly one of this and ``epochs`` is given.
  public var steps: Int?
  /// Passes over the training rows.
  public var epochs: Double?
  /// Samples per optimizer step.
  public var batchSize = 8
  /// A batch is computed in pieces of at most this many tokens, whose gradients add up to the whole batch's.
  public var microBatchTokens = 8192
  /// Keep only the input of each transformer block for the backward pass and run the block again there: less memory,
  /// more time, the same bits.
  public var recompute = false
  public var learningRate = 1e-4
  public var schedule = LearningRateSchedule.Shape.cosine
  public var warmupSteps = 0
  /// The learning rate ends at this share of its peak.
  public var minimumRatio = 0.0
  public var weightDecay = 0.01
  public var beta1 = 0.9
  public var beta2 = 0.999
  public var epsilon = 1e-8
  /// Largest gradient norm; 0 does not clip.
  public var gradientClip = 1.0
  /// On embeddings and residual branches.
  public var dropout: Float = 0
  /// The run stops after this many steps in a row without a finite loss.
  public var nonFiniteLimit = 5
  /// A line of metrics every so many steps.
  public var logEvery = 10

  private enum CodingKeys: String, CodingKey {
    case steps, epochs, recompute, schedule, beta1, beta2, epsilon, dropout
    case batchSize = "batch_size"
    case microBatchTokens = "micro_batch_tokens"
    case learningRate = "learning_rate"
    case warmupSteps = "warmup_steps"
    case minimumRatio = "minimum_ratio"
    case weightDecay = "weight_decay"
    case gradientClip = "gradient_clip"
    case nonFiniteLimit = "non_finite_limit"
    case logEvery = "log_every"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    steps = try keys.count(.steps, in: 0...Limits.count)
    epochs = try keys.decodeIfPresent(Double.self, forKey: .epochs) == nil ? nil : keys.decode(.epochs, in: 0...1e6)
    guard (steps == nil) != (epochs == nil) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "give exactly one of `steps` and `epochs`"))
    }
    batchSize = try keys.decode(.batchSize, default: batchSize, in: 1...Limits.batch)
    microBatchTokens = try keys.positive(.microBatchTokens, default: microBatchTokens)
    recompute = try keys.value(.recompute, default: recompute)
    learningRate = try keys.notNegative(.learningRate, default: learningRate)
    schedule = try keys.value(.schedule, default: schedule)
    warmupSteps = try keys.notNegative(.warmupSteps, default: warmupSteps)
    minimumRatio = try keys.decode(.minimumRatio, default: minimumRatio, in: 0...1)
    weightDecay = try keys.notNegative(.weightDecay, default: weightDecay)
    beta1 = try keys.decode(.beta1, default: beta1, in: 0...0.999_999)
    beta2 = try keys.decode(.beta2, default: beta2, in: 0...0.999_999)
    epsilon = try keys.decode(.epsilon, default: epsilon, above: 0)
    gradientClip = try keys.notNegative(.gradientClip, default: gradientClip)
    dropout = try keys.decode(.dropout, default: dropout, in: 0...0.99)
    nonFiniteLimit = try keys.positive(.nonFiniteLimit, default: nonFiniteLimit)
    logEvery = try keys.positive(.logEvery, default: logEvery)
  }

  /// Optimizer steps of the run over `sampleCount` samples.
  public func totalSteps(sampleCount: Int) -> Int {
    steps ?? max(1, Int(((epochs ?? 0) * Double(sampleCount) / Double(batchSize)).rounded(.up)))
  }
}

/// When the validation rows are scored (also once before the first step and after the last).
public struct ValidationConfiguration: Sendable, Codable {
  /// Steps between validations; 0: only before the first step and after the last.
  public var every = 0
  /// At most this many rows, from the front of the file; all where absent.
  public var limit: Int?

  private enum CodingKeys: String, CodingKey { case every, limit }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    every = try keys.notNegative(.every, default: every)
    limit = try keys.count(.limit, in: 1...Limits.count)
  }
}

/// When checkpoints are written and how many are kept.
public struct CheckpointConfiguration: Sendable, Codable {
  /// Steps between checkpoints; 0: only after the last step (and when the run is interrupted).
  public var every = 0
  /// The newest so many are kept, and the best by validation loss.
  public var keep = 3

  private enum CodingKeys: String, CodingKey { case every, keep }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    every = try keys.notNegative(.every, default: every)
    keep = try keys.positive(.keep, default: keep)
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
