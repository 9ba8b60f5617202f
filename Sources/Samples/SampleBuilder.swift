import Diagnostics
public import Fingerprints
import Sequences
public import Tokenizers

/// Turns rows into samples.
///
/// `token_ids` is what the tokenizer's post-processor puts at the start, then the joint encoding of prompt and response,
/// then the token that ends a text, for a row with a response, whether or not the response was given with it.
/// `prompt_length` is the length of what the prompt encoded alone has in common with that: where a merge crosses the
/// border, the tokens that differ belong to the response.
public struct SampleBuilder: Sendable {
  /// What to do with a prompt longer than the maximum.
  public enum LongPrompts: String, Sendable, CaseIterable, Codable {
    /// Refuse the file, with the line.
    case refuse
    /// Leave the row out, and count it.
    case drop
    /// Keep what the tokenizer puts at the start and as much of the prompt's end as leaves room: beside a row's own
    /// response for all of it, though no less than half of the maximum length, so that the longest responses are cut
    /// too; before an answer that is to be written, for all the tokens that it may take.
    case truncateLeft = "truncate-prompt-left"
  }

  public let template: Template
  public let eosTokenID: Int32?
  /// Most tokens in a sample; a response or text beyond is cut.
  public let maximumLength: Int
  /// Most tokens in a prompt, the tokenizer's start included.
  public private(set) var maximumPromptLength: Int
  public let longPrompts: LongPrompts
  private let encoder: TextEncoder
  private let sequenceTokens: SequenceTokens
  /// What stands for text outside the vocabulary; nil for a vocabulary that can express every text.
  package var unknownTokenID: Int32? { encoder.unknownTokenID }

  /// - Parameters:
  ///   - eosTokenID: Ends a response; nil for a model without one, which then takes running text and prompts only.
  ///   - maximumLength: Most tokens in a sample, at least 2.
  ///   - maximumPromptLength: Most tokens in a prompt; by default one less than `maximumLength`.
  /// - Throws: a `Diagnostic` of category `input` for lengths that leave no room.
  public init(
    tokenizer: Tokenizer, template: Template, eosTokenID: Int32?, maximumLength: Int, maximumPromptLength: Int? = nil,
    longPrompts: LongPrompts = .refuse
  ) throws {
    let bos = tokenizer.prefixTokens.first ?? tokenizer.bosTokenID
    try self.init(
      encoder: TextEncoder(
        prefix: tokenizer.prefixTokens, suffix: tokenizer.suffixTokens,
        fingerprint: Fingerprint(of: tokenizer.contentBytes),
        unknownTokenID: tokenizer.unknownTokenID, encode: { try tokenizer.encode($0) }),
      sequenceTokens: SequenceTokens(
        bos: bos.flatMap(tokenizer.token) ?? "", eos: eosTokenID.flatMap(tokenizer.token) ?? ""),
      template: template, eosTokenID: eosTokenID, maximumLength: maximumLength,
      maximumPromptLength: maximumPromptLength, longPrompts: longPrompts)
  }

  /// As above with any encoding of texts, for tests.
  package init(
    encoder: TextEncoder, sequenceTokens: SequenceTokens, template: Template, eosTokenID: Int32?, maximumLength: Int,
    maximumPromptLength: Int? = nil, longPrompts: LongPrompts = .refuse
  ) throws {
    self.encoder = encoder
    self.sequenceTokens = sequenceTokens
    self.template = template
    self.eosTokenID = eosTokenID
    self.maximumLength = maximumLength
    self.maximumPromptLength = maximumPromptLength ?? maximumLength - 1
    self.longPrompts = longPrompts
    guard maximumLength >= 2 else {
      throw Diagnostic.input("is \(maximumLength), but must be at least 2", field: "max_length")
    }
    guard (encoder.prefix.count + 1..<maximumLength).contains(self.maximumPromptLength) else {
      throw Diagnostic.input(
        "is \(self.maximumPromptLength), but must be above the \(encoder.prefix.count) tokens that start every sequence "
          + "and below the maximum length of \(maximumLength)", field: "max_prompt_length")
    }
  }

  /// The same for prompts that are to be answered: where they are cut, there is room for an answer in the context.
  ///
  /// - Parameters:
  ///   - newTokens: The longest answer.
  ///   - context: Most tokens of prompt and answer together.
  /// - Throws: a `Diagnostic` of category `input` where such an answer leaves no room for a token of a prompt.
  public func answering(with newTokens: Int, context: Int) throws -> SampleBuilder {
    guard longPrompts == .truncateLeft else { return self }
    let room = context - newTokens
    guard room > encoder.prefix.count else {
      throw Diagnostic.input(
        "is \(newTokens), which leaves no room for a prompt in a context of \(context)", field: "max_new_tokens",
        remedy: "choose one below \(context - encoder.prefix.count)")
    }
    var copy = self
    copy.maximumPromptLength = min(maximumPromptLength, room)
    return copy
  }

  /// The prompt of a sample, cut as this builder cuts prompts.
  public func prompt(of sample: Sample) -> [Int32] {
    let prompt = sample.tokenIDs.prefix(sample.promptLength)
    let kept = promptLength(cutting: prompt.count)
    return kept == prompt.count ? Array(prompt) : encoder.prefix + prompt.suffix(kept - encoder.prefix.count)
  }

  /// How many tokens ``prompt(of:)`` has for a sample with a prompt of so many.
  public func promptLength(cutting promptLength: Int) -> Int {
    longPrompts == .truncateLeft ? min(promptLength, maximumPromptLength) : promptLength
  }

  /// A fingerprint of everything here that decides the token ids.
  public var fingerprint: Fingerprint {
    let parts = [
      "\(encoder.fingerprint)", template.rawValue, eosTokenID.map { "\($0)" } ?? "none", "\(maximumLength)",
      "\(maximumPromptLength)", longPrompts.rawValue,
    ]
    return Fingerprint(of: parts.joined(separator: "\n"))
  }

  /// The sample of a row, nil where its prompt is too long and such rows are dropped.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the row does not fit the template, its prompt is too long, or
  ///   nothing in it can be scored.
  public func sample(_ row: Row) throws -> Sample? {
    let (prompt, response) = try template.render(row.content.withoutEnd(sequenceTokens.eos), sequenceTokens)
    guard let response else { preconditionFailure("a row without a response or text, read as data for training") }
    if row.response != nil && eosTokenID == nil {
      throw Diagnostic.input(
        "neither tokenizer nor model names a token that ends a text, which a row with a response needs",
        field: "eos_token_id", remedy: "choose one with end_of_text")
    }
    let ends = row.response != nil ? 1 : 0
    guard var parts = try fitted(prompt, response, besides: ends) else { return nil }
    if row.response != nil && encoder.prefix.isEmpty && parts.promptLength == 0 {
      throw Self.emptyPrompt
    }
    if row.response != nil, let eosTokenID { parts.tokens.append(eosTokenID) }
    let tokens = Array(parts.tokens.prefix(maximumLength))
    let isCut = tokens.count < parts.tokens.count
    let sample = Sample(
      tokenIDs: tokens, promptLength: parts.promptLength, line: row.line, hasResponse: row.response != nil,
      isCut: isCut, isPromptCut: parts.isPromptCut)
    guard !sample.scoredPositions.isEmpty else {
      throw Diagnostic.input("has \(tokens.count) tokens, so there is nothing to score")
    }
    return sample
  }

  /// All of a row as one text, for a vector of it: the prompt and, where it has one, the response, between what the
  /// tokenizer puts at the start and at the end of a sequence. Nothing of it is scored, and prompts and responses that are
  /// too long are cut as those of ``sample(_:)``. Nil where the prompt is too long and such rows are dropped.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the row does not fit the template, its prompt is too long, or it
  ///   has no token at all.
  public func passage(_ row: Row) throws -> Sample? {
    let around = encoder.prefix.count + encoder.suffix.count
    guard around < maximumLength else {
      throw Diagnostic.input(
        "is \(maximumLength), which leaves no room between the \(around) tokens around every text", field: "max_length")
    }
    let (prompt, response) = try template.render(row.content.withoutEnd(sequenceTokens.eos), sequenceTokens)
    guard let parts = try fitted(prompt, response ?? "", besides: encoder.suffix.count) else { return nil }
    let kept = parts.tokens.prefix(maximumLength - encoder.suffix.count)
    let tokens = kept + encoder.suffix
    guard !tokens.isEmpty else {
      throw Diagnostic.input("the text is empty, and the tokenizer puts no token around it")
    }
    return Sample(
      tokenIDs: Array(tokens), promptLength: tokens.count, line: row.line, hasResponse: false,
      isCut: kept.count < parts.tokens.count, isPromptCut: parts.isPromptCut)
  }

  private static var emptyPrompt: Diagnostic {
    .input("the prompt is empty, which only a tokenizer that starts every sequence with a token allows")
  }

  /// The joint encoding of prompt and response behind what starts a sequence, the prompt cut where it is too long; nil
  /// where its row is dropped.
  ///
  /// - Parameter ends: Tokens that will follow.
  private func fitted(
    _ prompt: String, _ response: String, besides ends: Int
  ) throws -> (tokens: [Int32], promptLength: Int, isPromptCut: Bool)? {
    let alone = try encoder.encode(prompt)
    var tokens = response.isEmpty ? alone : try encoder.encode(prompt + response)
    var common = 0
    while common < min(alone.count, tokens.count) && alone[common] == tokens[common] { common += 1 }
    let limit = promptLimit(besides: tokens.count - common + ends)
    let isPromptCut = encoder.prefix.count + common > limit
    if isPromptCut {
      guard let kept = try shortened(common, to: limit) else { return nil }
      tokens.removeFirst(common - kept)
      common = kept
    }
    return (encoder.prefix + tokens, encoder.prefix.count + common, isPromptCut)
  }

  /// The prompt of a row by itself, for generation; nil where it is too long and such rows are dropped. Running text is
  /// a prompt to go on from.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the row does not fit the template, or its prompt is too long or
  ///   has no token at all.
  public func prompt(_ row: Row) throws -> Sample? {
    var (text, running) = try template.render(row.content, sequenceTokens)
    if case .text = row.content { text = running ?? "" }
    var tokens = try encoder.encode(text)
    let isPromptCut = encoder.prefix.count + tokens.count > maximumPromptLength
    if isPromptCut {
      guard let kept = try shortened(tokens.count, to: maximumPromptLength) else { return nil }
      tokens.removeFirst(tokens.count - kept)
    }
    tokens = encoder.prefix + tokens
    guard !tokens.isEmpty else { throw Self.emptyPrompt }
    return Sample(
      tokenIDs: tokens, promptLength: tokens.count, line: row.line, hasResponse: false, isCut: false,
      isPromptCut: isPromptCut)
  }

  /// The longest prompt, the tokenizer's start included, beside a response of so many tokens.
  private func promptLimit(besides response: Int) -> Int {
    guard longPrompts == .truncateLeft else { return maximumPromptLength }
    let floor = max(maximumLength / 2, encoder.prefix.count + 1)
    return min(maximumPromptLength, max(maximumLength - response, floor))
  }

  /// How many of a prompt's own tokens are kept where it is too long; nil where its row is dropped.
  private func shortened(_ count: Int, to limit: Int) throws -> Int? {
    switch longPrompts {
    case .truncateLeft: return limit - encoder.prefix.count
    case .drop: return nil
    case .refuse:
      throw Diagnostic.input(
        "the prompt has \(encoder.prefix.count + count) tokens, more than \(maximumPromptLength)",
        remedy: "raise max_length, or set long_prompts to drop or truncate-prompt-left")
    }
  }
}

/// Texts to token ids, without what starts and ends a sequence.
package struct TextEncoder: Sendable {
  package var prefix: [Int32]
  package var suffix: [Int32]
  package var fingerprint: Fingerprint
  /// What stands for text outside the vocabulary; nil for a vocabulary that can express every text.
  package var unknownTokenID: Int32?
  package var encode: @Sendable (String) throws -> [Int32]

  package init(
    prefix: [Int32], suffix: [Int32] = [], fingerprint: Fingerprint, unknownTokenID: Int32? = nil,
    encode: @escaping @Sendable (String) throws -> [Int32]
  ) {
    self.prefix = prefix
    self.suffix = suffix
    self.fingerprint = fingerprint
    self.unknownTokenID = unknownTokenID
    self.encode = encode
  }
}
