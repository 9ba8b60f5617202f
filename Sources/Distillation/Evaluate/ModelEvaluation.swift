import Configuration
import Diagnostics
public import Evaluation
public import Provenance
import Files
import JSON
import Models
public import Samples
import Generation
import RandomStreams
public import Teachers
import Telemetry
public import Tensor
import Tokenizers

/// Scores a model on a file of rows: nll and perplexity always, divergence to a teacher and quality of greedy responses
/// where asked for.
public struct ModelEvaluation: Stage {
  public var model: String
  /// The files of rows.
  public var data: DataFiles
  public var format: RowFormat
  /// A teacher to measure the divergence to; nil leaves it out.
  public var teacher: TeacherSource?
  /// Entries a position that a server is asked for, where it is the teacher.
  public var topK = 64
  /// Also answer every prompt, for ROUGE-L and exact match.
  public var generate = false
  /// How they are written: greedily, or as often as there are seeds.
  public var answering = AnsweringConfiguration()
  /// Also measure how far the probability of the most probable token is from how often that token follows.
  public var calibration = false
  /// Longest response in tokens, where there are any.
  public var maximumNewTokens = 128
  /// At most this many rows, from the front; all where nil.
  public var limit: Int?
  /// Of the matrix products of model and teacher.
  public var precision = Precision.fp32
  /// Tokens computed together.
  public var tokensPerBatch = 8192
  /// A file that the report is also written to, as JSON; nil for none.
  public var output: String?

  public init(model: String, data: DataFiles, format: RowFormat = RowFormat()) {
    self.model = model
    self.data = data
    self.format = format
  }

  /// Evaluates the model.
  ///
  /// - Throws: a `Diagnostic` where rows do not fit, or model and teacher have different tokenizers; `Interrupted` where
  ///   a signal asks to stop: there is nothing to keep.
  public func run() throws -> EvaluationReport {
    try validate()
    EngineAnnouncement.print(precision)
    let (loaded, bundle, source, judge, samples) = try Interruption.endingAtOnce(load)
    if case .asked = judge {
      Log.info(
        "divergences are over the teacher's \(topK) entries a position and its tail: at most those of whole distributions"
      )
    }
    let count = min(samples.count, limit ?? .max)
    let progress = Progress("evaluate", total: count, unit: "samples")
    var done = 0
    var report = try Evaluator(
      model: loaded.model, teacher: judge?.model, asked: judge?.asked, calibrating: calibration,
      tokensPerBatch: tokensPerBatch
    )
    .evaluate(
      count: count,
      onProgress: { now in
        try Interruption.check()
        progress.advance(by: now - done)
        done = now
      }
    ) { try samples.index.sample(at: $0).sequence }
    progress.finish()
    report.account = samples.account
    if generate {
      report.responses = try answer(
        (0..<count).map { try samples.index.sample(at: $0) }, loaded.model, bundle.tokenizer, source)
    }
    if let output {
      try File.makeFolder(File.folder(of: output))
      try File.write(report.json.serialized(pretty: true) + [UInt8(ascii: "\n")], to: output)
    }
    return report
  }

  /// Who the model is compared with.
  private enum Judge {
    case loaded(LoadedModel)
    case asked(OpenTeacher)

    var model: (any CausalLanguageModel)? { if case .loaded(let teacher) = self { teacher.model } else { nil } }
    var asked: (any Teacher)? { if case .asked(let teacher) = self { teacher.teacher } else { nil } }

    func tokenizer() throws -> TokenizerBundle {
      switch self {
      case .loaded(let teacher): try TokenizerBundle(directory: teacher.directory)
      case .asked(let teacher): teacher.tokenizer
      }
    }
  }

  private func judge(of model: LoadedModel) throws -> Judge? {
    guard let teacher else { return nil }
    switch teacher {
    case .model(let name): return .loaded(try ModelStore.load(name, trainable: false, precision: precision))
    case .served:
      let opened = try OpenTeacher(
        teacher, precision: precision, topK: topK, lowering: true,
        vocabulary: model.model.configuration.vocabularySize)
      return .asked(opened)
    }
  }

  private func load() throws -> (LoadedModel, TokenizerBundle, SampleSource, Judge?, IndexedSamples) {
    let loaded = try ModelStore.load(model, trainable: false, precision: precision)
    let bundle = try TokenizerBundle(directory: loaded.directory)
    let judge = try judge(of: loaded)
    // A student carries the template it was taught with; one that is not taught yet is asked as its teacher is.
    var chats = [bundle.tokenizer]
    if let theirs = try judge?.tokenizer() {
      try bundle.requireEqual(
        to: theirs.fingerprint, mine: "the model \(model)", theirs: "the teacher \(teacher?.place ?? "")")
      chats.append(theirs.tokenizer)
    }
    let named = chats.first { !$0.chatTemplates.isEmpty } ?? bundle.tokenizer
    let source = try SampleSource(
      format, tokenizer: bundle, model: loaded.model.configuration, chat: format.chatTemplate(of: named))
    let samples = try source.samples(of: data, index: .temporary, newTokens: generate ? maximumNewTokens : nil)
    if case .asked(let teacher) = judge { try samples.check(teacher.limits, lastIsTarget: true) }
    return (loaded, bundle, source, judge, samples)
  }

  /// Responses to the samples' prompts, against their own responses.
  private func answer(
    _ samples: [Sample], _ model: any CausalLanguageModel, _ tokenizer: Tokenizer, _ source: SampleSource
  ) throws -> EvaluationReport.Responses? {
    let cases = try samples.map { try ResponseEvaluation.Case($0, source, tokenizer, newTokens: maximumNewTokens) }
    let vocabulary = WritableVocabulary(model: model.configuration, tokenizer: tokenizer, ends: source.endOfText.stops)
    if let notice = vocabulary.notice(model.configuration, role: "the model") { Log.info(notice) }
    let progress = Progress(
      "answer", total: cases.count * answering.seeds, unit: "prompts", rateUnit: "tokens")
    let responses = try (1...answering.seeds).compactMap { seed in
      try ResponseEvaluation(
        model: model, tokenizer: tokenizer, settings: answering.settings(maximumNewTokens: maximumNewTokens),
        ends: source.endOfText.stops, batchSize: 32, stream: RandomStream(seed: UInt64(seed), name: "decoding")
      ).evaluate(
        cases, onResponse: { _, response in progress.advance(work: response.completion.tokenIDs.count) },
        onPass: Interruption.check)
    }
    progress.finish()
    return EvaluationReport.mean(of: responses)
  }
}

extension ResponseEvaluation.Case {
  /// A sample's prompt, with room for so many tokens, and its own response.
  init(_ sample: Sample, _ source: SampleSource, _ tokenizer: Tokenizer, newTokens: Int) throws {
    self.init(
      prompt: try source.prompt(of: sample, newTokens: newTokens),
      references: [try tokenizer.decode(sample.responseTokenIDs)])
  }
}

extension EvaluationReport: StageOutcome {}

// MARK: - As a stage

extension ModelEvaluation {
  public static let name = "evaluate"
  public static let filled = [(key: "output", value: FilledValue.entry("report.json"))]

  public var productIsThere: Bool { output.map(File.exists) ?? false }

  public func inputs() throws -> Provenance {
    var made = Provenance()
    try made.pinIfThere("model", model: model)
    try made.pinIfThere("data", rows: data)
    if let teacher { try made.pinIfThere("teacher", teacher) }
    return made
  }

  private enum CodingKeys: String, CodingKey {
    case model, data, teacher, generate, calibration, limit, precision, output
    case topK = "top_k"
    case maximumNewTokens = "max_new_tokens"
    case tokensPerBatch = "batch_tokens"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      model: try keys.decode(.model), data: try keys.decode(.data), format: try RowFormat(from: decoder))
    teacher = try keys.decodeIfPresent(TeacherSource.self, forKey: .teacher)
    topK = try keys.decode(.topK, default: topK)
    generate = try keys.decode(.generate, default: generate)
    calibration = try keys.decode(.calibration, default: calibration)
    answering = try AnsweringConfiguration(from: decoder)
    maximumNewTokens = try keys.decode(.maximumNewTokens, default: maximumNewTokens)
    limit = try keys.decodeIfPresent(Int.self, forKey: .limit)
    precision = try keys.decode(.precision, default: precision)
    tokensPerBatch = try keys.decode(.tokensPerBatch, default: tokensPerBatch)
    output = try keys.decodeIfPresent(String.self, forKey: .output)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(model, forKey: .model)
    try keys.encode(data, forKey: .data)
    try format.encode(to: encoder)
    try keys.encodeIfPresent(teacher, forKey: .teacher)
    try keys.encode(topK, forKey: .topK)
    try keys.encode(generate, forKey: .generate)
    if calibration { try keys.encode(calibration, forKey: .calibration) }
    try answering.encode(to: encoder)
    try keys.encode(maximumNewTokens, forKey: .maximumNewTokens)
    try keys.encodeIfPresent(limit, forKey: .limit)
    try keys.encode(precision, forKey: .precision)
    try keys.encode(tokensPerBatch, forKey: .tokensPerBatch)
    try keys.encodeIfPresent(output, forKey: .output)
  }

  public func validate() throws {
    try format.validate()
    try answering.validate()
    try CodingKeys.topK.checkPositive(topK)
    try CodingKeys.maximumNewTokens.check(maximumNewTokens, in: 1...Limits.sequence)
    try CodingKeys.limit.checkPositive(limit)
    try CodingKeys.tokensPerBatch.checkPositive(tokensPerBatch)
  }
}
