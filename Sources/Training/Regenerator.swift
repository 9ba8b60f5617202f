import Evaluation
package import Fingerprints
public import Generation
public import Models
public import RandomStreams
public import Replay
public import Samples
import Sequences
import TeacherSignal
public import Teachers
import Telemetry
import Tensor
public import Tokenizers

/// Stage three's work on one set of prompts: the student answers, the teacher scores what it wrote.
public final class Regenerator {
  public let student: any CausalLanguageModel
  public let teacher: any Teacher
  /// Entries that the teacher keeps of each position.
  public let topK: Int
  /// How responses are sampled, where a call does not name another length.
  public let settings: SamplingSettings
  /// What ends a response.
  public let endOfText: EndOfText
  /// The ids that the student may write: those that the teacher can score.
  public let vocabulary: WritableVocabulary
  /// Who has its say in each token that the student writes; nil where it writes alone.
  private let mixture: DecodingMixture?
  private let batchSize: Int
  private let scoringTokens: Int

  /// - Parameters:
  ///   - teacher: Its distributions are over ids that the student has.
  ///   - topK: Entries that it keeps of each position.
  ///   - tokenizer: Of both.
  ///   - endOfText: What ends a response.
  ///   - mixture: Who has its say in each token that the student writes; nil where it writes alone.
  ///   - batchSize: Rows decoded together.
  ///   - scoringTokens: Tokens that the teacher scores together.
  public init(
    student: any CausalLanguageModel, teacher: any Teacher, topK: Int, settings: SamplingSettings, tokenizer: Tokenizer,
    endOfText: EndOfText, mixture: DecodingMixture? = nil, batchSize: Int = 32, scoringTokens: Int = 8192
  ) {
    self.student = student
    self.teacher = teacher
    self.topK = topK
    self.settings = settings
    self.endOfText = endOfText
    vocabulary = WritableVocabulary(
      model: student.configuration, tokenizer: tokenizer, ends: endOfText.stops,
      taught: teacher.identity.vocabularySize)
    self.mixture = mixture
    self.batchSize = batchSize
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
  ///   - maximumNewTokens: Of a response; nil for that of the settings.
  /// - Throws: a `Diagnostic` for a prompt that is empty or leaves no room in the context, and what `onResponse` throws;
  ///   `Interrupted` where a signal asks to stop: what is half done is not kept.
  public func respond(
    to prompts: [[Int32]], stream: RandomStream, birthStep: Int, maximumNewTokens: Int? = nil,
    onResponse: () throws -> Void = {}
  ) throws -> [ReplaySample] {
    var completions = [Completion?](repeating: nil, count: prompts.count)
    try generator(stream, sampling(maximumNewTokens)).generate(
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

  /// What writing the responses will take of memory beside the models; nil where there are no prompts. Scoring them,
  /// afterwards, is not counted.
  package func memory(prompts: [[Int32]]) throws -> DecodingMemory? {
    try generator(RandomStream(key: 0, position: 0), settings).memory(prompts: prompts)
  }

  /// Bytes of the parameters of student and teacher.
  package var parameterBytes: Int { student.parameters.bytes + teacher.parameterBytes }

  private func sampling(_ maximumNewTokens: Int?) -> SamplingSettings {
    var sampling = settings
    sampling.maximumNewTokens = maximumNewTokens ?? settings.maximumNewTokens
    return sampling
  }

  private func generator(_ stream: RandomStream, _ settings: SamplingSettings) throws -> Generator {
    try Generator(
      model: student, settings: settings, eosTokenIDs: endOfText.stops, vocabulary: vocabulary, batchSize: batchSize,
      stream: stream, mixture: mixture)
  }

  /// What a version of these responses is recorded with.
  ///
  /// - Parameters:
  ///   - data: Fingerprint of the data set that the prompts came from.
  ///   - maximumNewTokens: Of a response; nil for that of the settings.
  package func origin(data: Fingerprint, seed: UInt64, step: Int, maximumNewTokens: Int? = nil) -> ReplayOrigin {
    let teacher = teacher.identity
    return ReplayOrigin(
      student: ModelStore.fingerprint(of: student), teacher: teacher.model,
      decoding: .init(
        temperature: Double(settings.temperature), topP: Double(settings.topP), topK: settings.topK,
        maximumNewTokens: maximumNewTokens ?? settings.maximumNewTokens),
      seed: seed, step: step, codec: .compact, topK: topK, vocabularySize: teacher.vocabularySize,
      numerics: teacher.numerics, tokenizer: teacher.tokenizer, data: data, endOfText: endOfText.stops)
  }

  private func score(_ sequences: [TokenSequence]) throws -> [ScoredSample] {
    var scored = [ScoredSample?](repeating: nil, count: sequences.count)
    for batch in Batches.byLength(sequences.map(\.count), tokens: scoringTokens) {
      try Interruption.check()
      for (index, sample) in zip(batch, try teacher.samples(for: batch.map { sequences[$0] })) {
        scored[index] = sample
      }
    }
    return scored.compactMap(\.self)
  }
}
