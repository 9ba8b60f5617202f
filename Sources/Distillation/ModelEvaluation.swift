import Diagnostics
public import Evaluation
import Models
public import Samples
import Generation
import RandomStreams
import Telemetry
public import Tensor
import Tokenizers

/// Scores a model on a file of rows: nll and perplexity always, divergence to a teacher and quality of greedy responses
/// where asked for.
public struct ModelEvaluation: Sendable {
  public var model: String
  /// The files of rows.
  public var data: DataFiles
  public var format: RowFormat
  /// A teacher to measure the divergence to; nil leaves it out.
  public var teacher: String?
  /// Longest greedy response for ROUGE-L and exact match; nil leaves them out.
  public var maximumNewTokens: Int?
  /// At most this many rows, from the front; all where nil.
  public var limit: Int?
  /// Of the matrix products of model and teacher.
  public var precision = Precision.fp32
  /// Tokens computed together.
  public var tokensPerBatch = 8192

  public init(model: String, data: DataFiles, format: RowFormat) {
    self.model = model
    self.data = data
    self.format = format
  }

  /// Evaluates the model.
  ///
  /// - Throws: a `Diagnostic` where rows do not fit, or model and teacher have different tokenizers; `Interrupted` where
  ///   a signal asks to stop: there is nothing to keep.
  public func run() throws -> EvaluationReport {
    EngineAnnouncement.print(precision)
    let (loaded, bundle, source, judge, samples) = try Interruption.endingAtOnce(load)
    let count = min(samples.count, limit ?? .max)
    let progress = Progress("evaluate", total: count, unit: "samples")
    var done = 0
    var report = try Evaluator(model: loaded.model, teacher: judge?.model, tokensPerBatch: tokensPerBatch)
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
    if let maximumNewTokens {
      report.responses = try answer(
        (0..<count).map { try samples.index.sample(at: $0) }, loaded.model, bundle.tokenizer, source,
        maximumNewTokens: maximumNewTokens)
    }
    return report
  }

  private func load() throws -> (LoadedModel, TokenizerBundle, SampleSource, LoadedModel?, IndexedSamples) {
    let loaded = try ModelStore.load(model, trainable: false, precision: precision)
    let bundle = try TokenizerBundle(directory: loaded.directory)
    let judge = try teacher.map { try ModelStore.load($0, trainable: false, precision: precision) }
    if let judge {
      try bundle.requireEqual(
        to: TokenizerBundle(directory: judge.directory).fingerprint, mine: "the model \(model)",
        theirs: "the teacher \(judge.directory)")
    }
    let source = try SampleSource(format, tokenizer: bundle, model: loaded.model.configuration)
    let samples = try source.samples(of: data, index: .temporary, newTokens: maximumNewTokens)
    return (loaded, bundle, source, judge, samples)
  }

  /// Greedy responses to the samples' prompts, against their own responses.
  private func answer(
    _ samples: [Sample], _ model: any CausalLanguageModel, _ tokenizer: Tokenizer, _ source: SampleSource,
    maximumNewTokens: Int
  ) throws -> EvaluationReport.Responses? {
    let cases = try samples.map { sample in
      ResponseEvaluation.Case(
        prompt: try source.prompt(of: sample, newTokens: maximumNewTokens),
        references: [try tokenizer.decode(sample.responseTokenIDs)])
    }
    let vocabulary = WritableVocabulary(model: model.configuration, tokenizer: tokenizer, ends: source.endOfText.stops)
    if let notice = vocabulary.notice(model.configuration, role: "the model") { Log.info(notice) }
    let progress = Progress("answer", total: cases.count, unit: "prompts", rateUnit: "tokens")
    let responses = try ResponseEvaluation(
      model: model, tokenizer: tokenizer,
      settings: SamplingSettings(temperature: 0, maximumNewTokens: maximumNewTokens), ends: source.endOfText.stops,
      batchSize: 32, stream: RandomStream(seed: 1, name: "decoding")
    ).evaluate(
      cases, onResponse: { _, response in progress.advance(work: response.completion.tokenIDs.count) },
      onPass: Interruption.check)
    progress.finish()
    return responses
  }
}
