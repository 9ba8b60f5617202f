import Fingerprints
import Evaluation
public import Generation
public import Models
public import RandomStreams
public import Replay
public import Samples
import Sequences
import TeacherSignal
import Telemetry
import Tensor
public import Tokenizers

/// Stage three's work on one set of prompts: the student answers, the teacher scores what it wrote.
public final class Regenerator {
  public let student: any CausalLanguageModel
  public let scorer: TeacherScorer
  public let settings: SamplingSettings
  /// What ends a response.
  public let endOfText: EndOfText
  /// The ids that the student may write: those that the teacher can score.
  public let vocabulary: WritableVocabulary
  private let slots: Int
  private let scoringTokens: Int

  /// - Parameters:
  ///   - tokenizer: Of both.
  ///   - endOfText: What ends a response.
  ///   - slots: Rows decoded together.
  ///   - scoringTokens: Tokens that the teacher scores together.
  public init(
    student: any CausalLanguageModel, scorer: TeacherScorer, settings: SamplingSettings, tokenizer: Tokenizer,
    endOfText: EndOfText, slots: Int = 32, scoringTokens: Int = 8192
  ) {
    self.student = student
    self.scorer = scorer
    self.settings = settings
    self.endOfText = endOfText
    vocabulary = WritableVocabulary(
      model: student.configuration, tokenizer: tokenizer, ends: endOfText.stops, taught: scorer.vocabulary)
    self.slots = slots
    self.scoringTokens = scoringTokens
  }

  /// Responses to the prompts with the teacher's distributions over them, in the prompts' order.
  ///
  /// Scored are the positions that predict generated tokens, end-of-text included where it came; a response cut by the
  /// length limit has none.
  ///
  /// - Parameters:
  ///   - stream: Prompt i draws from `stream.split(i)` only, whatever shares its batch.
  ///   - birthStep: The student's training step, recorded with each sample.
  /// - Throws: a `Diagnostic` for a prompt that is empty or leaves no room in the context, and what `onResponse` throws;
  ///   `Interrupted` where a signal asks to stop: what is half done is not kept.
  public func respond(
    to prompts: [[Int32]], stream: RandomStream, birthStep: Int,
    onResponse: () throws -> Void = {}
  ) throws -> [ReplaySample] {
    var completions = [Completion?](repeating: nil, count: prompts.count)
    try generator(stream).generate(
      prompts: prompts, streamIndices: prompts.indices.map(UInt64.init), onPass: Interruption.check
    ) {
      index, completion in
      completions[index] = completion
      try onResponse()
    }
    let finished = completions.compactMap(\.self)
    let sequences = zip(prompts, finished).map {
      TokenSequence(tokenIDs: $0 + $1.tokenIDs, promptLength: $0.count)
    }
    return zip(finished, try score(sequences)).map { completion, scored in
      ReplaySample(scored: scored, endedByEOS: completion.finishReason == .eos, birthStep: birthStep)
    }
  }

  /// What writing the responses will hold in memory; nil where there are no prompts. Scoring them, afterwards, is not
  /// counted.
  func forecast(prompts: [[Int32]]) throws -> InferenceForecast? {
    try generator(RandomStream(key: 0, position: 0)).memory(prompts: prompts).map { memory in
      InferenceForecast(parameters: student.parameters.bytes + scorer.teacher.parameters.bytes, decoding: memory)
    }
  }

  private func generator(_ stream: RandomStream) throws -> Generator {
    try Generator(
      model: student, settings: settings, eosTokenIDs: endOfText.stops, vocabulary: vocabulary, batchSize: slots,
      stream: stream)
  }

  /// What a version of these responses is recorded with.
  ///
  /// - Parameters:
  ///   - tokenizer: Of student and teacher.
  ///   - data: Of the data set that the prompts came from.
  func origin(
    teacher: Fingerprint, tokenizer: Fingerprint, data: Fingerprint, seed: UInt64, step: Int
  ) -> ReplayOrigin {
    ReplayOrigin(
      student: ModelStore.fingerprint(of: student), teacher: teacher,
      decoding: .init(
        temperature: Double(settings.temperature), topP: Double(settings.topP), topK: settings.topK,
        maximumNewTokens: settings.maximumNewTokens),
      seed: seed, step: step, codec: .compact, topK: scorer.topK, vocabularySize: scorer.vocabulary,
      numerics: .init(precision: scorer.teacher.precision.rawValue, kernels: Engine.variant), tokenizer: tokenizer,
      data: data, endOfText: endOfText.stops)
  }

  private func score(_ sequences: [TokenSequence]) throws -> [ScoredSample] {
    var scored = [ScoredSample?](repeating: nil, count: sequences.count)
    for batch in Batches.byLength(sequences.map(\.count), tokens: scoringTokens) {
      try Interruption.check()
      for (index, sample) in zip(batch, try scorer.score(batch.map { sequences[$0] })) { scored[index] = sample }
    }
    return scored.compactMap(\.self)
  }
}
