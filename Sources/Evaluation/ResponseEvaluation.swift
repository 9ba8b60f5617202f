public import Generation
public import Models
public import RandomStreams
public import Tokenizers

/// Measures a model by what it writes: ROUGE-L and exact match of generated responses.
public struct ResponseEvaluation {
  /// A prompt and what would be a good response to it.
  public struct Case: Sendable, Equatable {
    /// Token ids, special tokens included.
    public var prompt: [Int32]
    /// Reference responses; the best counts.
    public var references: [String]

    public init(prompt: [Int32], references: [String]) {
      self.prompt = prompt
      self.references = references
    }
  }

  /// A response with its scores.
  public struct Response: Sendable, Equatable {
    public var completion: Completion
    /// Decoded without special tokens and without the one that ended it.
    public var text: String
    public var rougeL: Rouge
    public var exactMatch: Bool
  }

  private let generator: Generator
  private let tokenizer: Tokenizer

  /// - Parameters:
  ///   - ends: Ids that end a response.
  ///   - batchSize: Prompts decoded side by side; changes no text.
  ///   - stream: Response `i` draws from the stream's `i`-th split.
  /// - Throws: a `Diagnostic` naming a setting out of range.
  public init(
    model: any CausalLanguageModel, tokenizer: Tokenizer, settings: SamplingSettings, ends: [Int32],
    batchSize: Int = 16, stream: RandomStream
  ) throws {
    generator = try Generator(
      model: model, settings: settings, eosTokenIDs: ends,
      vocabulary: WritableVocabulary(model: model.configuration, tokenizer: tokenizer, ends: ends),
      batchSize: batchSize, stream: stream)
    self.tokenizer = tokenizer
  }

  /// Writes and scores a response to each prompt; nil without prompts.
  ///
  /// - Parameters:
  ///   - onResponse: Called with the index of the prompt as soon as its response is there, in any order.
  ///   - onPass: Called before each forward pass of the model.
  /// - Throws: a `Diagnostic` for a prompt that the model cannot take, and what `onResponse` and `onPass` throw.
  public func evaluate(
    _ cases: [Case], onResponse: (Int, Response) throws -> Void = { _, _ in }, onPass: () throws -> Void = {}
  ) throws -> EvaluationReport.Responses? {
    if cases.isEmpty { return nil }
    var responses = [Response?](repeating: nil, count: cases.count)
    try generator.generate(
      prompts: cases.map(\.prompt), streamIndices: cases.indices.map(UInt64.init), onPass: onPass
    ) { index, done in
      let text = tokenizer.decode(done.contentTokenIDs)
      let response = Response(
        completion: done, text: text, rougeL: Rouge.l(references: cases[index].references, prediction: text),
        exactMatch: ExactMatch.matches(references: cases[index].references, prediction: text))
      responses[index] = response
      try onResponse(index, response)
    }
    // Summed in the order of the prompts, whatever order they were finished in.
    let done = responses.compactMap(\.self)
    let count = Double(done.count)
    return .init(
      rougeL: done.reduce(0) { $0 + $1.rougeL.f1 } / count,
      exactMatch: Double(done.count { $0.exactMatch }) / count, count: done.count,
      tokens: done.reduce(0) { $0 + $1.completion.tokenIDs.count },
      endedByEOS: Double(done.count { $0.completion.finishReason == .eos }) / count)
  }
}
