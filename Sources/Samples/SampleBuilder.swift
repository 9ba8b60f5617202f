import Diagnostics
public import Fingerprints
import Sequences
public import Tokenizers

/// Turns rows into samples.
///
/// `token_ids` is what the tokenizer's post-processor puts at the start, then the joint encoding of prompt and response,
/// then the token that ends a text, for a row with a response, whether or not the response was given with it.
/// `prompt_length` is the length of what the prompt encoded alone has in common with that: where a merge crosses the
/// border, the tokens that differ belong to the response. What a model's own chat template writes is encoded as it is,
/// since such templates write what starts a sequence and ends a turn themselves.
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
  /// The model's chat template, where rows may need it.
  public let chat: ChatTemplate?
  public let trainOn: TrainOn
  public let eosTokenID: Int32?
  /// Most tokens in a sample; a response or text beyond is cut.
  public let maximumLength: Int
  /// Most tokens in a prompt, the tokenizer's start included.
  public private(set) var maximumPromptLength: Int
  public let longPrompts: LongPrompts
  private let encoder: TextEncoder
  private let sequenceTokens: SequenceTokens
  /// Tokens that end a turn of the chat template, and their texts.
  private let turnEnds: [(id: Int32, text: String)]
  /// What stands for text outside the vocabulary; nil for a vocabulary that can express every text.
  package var unknownTokenID: Int32? { encoder.unknownTokenID }

  /// - Parameters:
  ///   - chat: The model's chat template, or its teacher's; nil where there is none.
  ///   - trainOn: Which turns of a conversation are scored.
  ///   - eosTokenID: Ends a response; nil for a model without one, which then takes running text, prompts and what its own
  ///     chat template writes only.
  ///   - maximumLength: Most tokens in a sample, at least 2.
  ///   - maximumPromptLength: Most tokens in a prompt; by default one less than `maximumLength`.
  /// - Throws: a `Diagnostic` of category `input` for lengths that leave no room, and for the template `model` of a model
  ///   without one.
  public init(
    tokenizer: Tokenizer, template: Template, chat: ChatTemplate? = nil, trainOn: TrainOn = .last, eosTokenID: Int32?,
    maximumLength: Int, maximumPromptLength: Int? = nil, longPrompts: LongPrompts = .refuse
  ) throws {
    let bos = tokenizer.prefixTokens.first ?? tokenizer.bosTokenID
    if case .model = template, chat == nil {
      throw Diagnostic.input(
        "the model has no chat template", file: tokenizer.path, field: "template",
        remedy:
          "name one of \(Template.fixed.map(\.description).joined(separator: ", ")), or use the tokenizer files of "
          + "the model's chat version")
    }
    let ends = try chat?.endsOfTurn(in: tokenizer) ?? []
    try self.init(
      encoder: TextEncoder(tokenizer, named: chat?.tokenTexts ?? []),
      sequenceTokens: SequenceTokens(
        bos: bos.flatMap(tokenizer.token) ?? "", eos: eosTokenID.flatMap(tokenizer.token) ?? ""),
      template: template, chat: chat, turnEnds: ends.compactMap { id in tokenizer.token(id).map { (id, $0) } },
      trainOn: trainOn, eosTokenID: eosTokenID, maximumLength: maximumLength, maximumPromptLength: maximumPromptLength,
      longPrompts: longPrompts)
  }

  /// As above with any encoding of texts, for tests.
  package init(
    encoder: TextEncoder, sequenceTokens: SequenceTokens, template: Template, chat: ChatTemplate? = nil,
    turnEnds: [(id: Int32, text: String)] = [], trainOn: TrainOn = .last, eosTokenID: Int32?, maximumLength: Int,
    maximumPromptLength: Int? = nil, longPrompts: LongPrompts = .refuse
  ) throws {
    self.encoder = encoder
    self.sequenceTokens = sequenceTokens
    self.template = template
    self.chat = template.mayNeedModel ? chat : nil
    self.turnEnds = turnEnds
    self.trainOn = trainOn
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
    let lead = lead(of: prompt)
    return kept == prompt.count ? Array(prompt) : prompt.prefix(lead) + prompt.suffix(kept - lead)
  }

  /// How many tokens ``prompt(of:)`` has for a sample with a prompt of so many.
  public func promptLength(cutting promptLength: Int) -> Int {
    longPrompts == .truncateLeft ? min(promptLength, maximumPromptLength) : promptLength
  }

  /// A fingerprint of everything here that decides the token ids.
  public var fingerprint: Fingerprint {
    var parts = [
      "\(encoder.fingerprint)", template.description, eosTokenID.map { "\($0)" } ?? "none", "\(maximumLength)",
      "\(maximumPromptLength)", longPrompts.rawValue,
    ]
    if let chat { parts.append("\(chat.fingerprint)") }
    if trainOn != .last { parts.append(trainOn.rawValue) }
    return Fingerprint(of: parts.joined(separator: "\n"))
  }

  // MARK: Texts

  /// The chat template that writes a row; nil where it is a fixed template's.
  func chat(for content: Row.Content) -> AnswerSearch? {
    guard let chat else { return nil }
    switch content {
    case .text: return nil
    case .conversation: break
    case .exchange, .instruction: if !template.isOfModel { return nil }
    }
    return AnswerSearch(template: chat, ends: turnEnds.map(\.text))
  }

  /// The text of a row to learn from.
  private func text(_ content: Row.Content) throws -> RenderedText {
    if let chat = chat(for: content) { return try chat.text(content.asConversation, scoring: trainOn) }
    return try template.render(
      content.withoutEnd(sequenceTokens.eos), sequenceTokens, scoring: trainOn)
  }

  /// The text that asks for a row's response; running text is a prompt to go on from.
  private func promptText(_ content: Row.Content) throws -> RenderedText {
    if case .text(let text) = content { return RenderedText(prompt: text, response: nil) }
    if let chat = chat(for: content) {
      return RenderedText(whole: try chat.prompt(content.asConversation), answers: [])
    }
    let text = try template.render(content, sequenceTokens)
    return RenderedText(prompt: String(decoding: text.text.utf8.prefix(text.promptEnd), as: UTF8.self), response: nil)
  }

  /// A text's tokens before anything is cut, what starts a sequence in front, and where some of its places fall among them.
  func tokens(
    of text: RenderedText, borders places: [Int]
  ) throws -> (ids: [Int32], borders: [TokenBorder]) {
    if text.isWhole { return try encoder.encodeWritten(text.text, places) }
    let (ids, borders) = try encoder.encode(text.text, places)
    let offset = encoder.prefix.count
    return (encoder.prefix + ids, borders.map { .init(before: $0.before + offset, through: $0.through + offset) })
  }

  /// A row's text as tokens.
  private struct Encoded {
    var tokens: [Int32]
    /// The tokens that are scored, ascending; the response's are last.
    var answers: [Range<Int>]
    /// Tokens that the prompt lost at its beginning.
    var cutAtStart = 0
  }

  private func encode(_ text: RenderedText) throws -> Encoded {
    let (tokens, borders) = try tokens(of: text, borders: text.answers.flatMap { [$0.lowerBound, $0.upperBound] })
    let answers = stride(from: 0, to: borders.count, by: 2).map { index in
      borders[index].before..<max(borders[index].before, borders[index + 1].through)
    }
    return Encoded(tokens: tokens, answers: answers)
  }

  /// How many leading tokens are those that start every sequence, which stay where a prompt loses its beginning.
  func lead(of tokens: some Sequence<Int32>) -> Int { zip(tokens, encoder.prefix).prefix { $0 == $1 }.count }

  // MARK: Samples

  /// The sample of a row, nil where its prompt is too long and such rows are dropped.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the row does not fit the template, its prompt is too long, or
  ///   nothing in it can be scored.
  public func sample(_ row: Row) throws -> Sample? { try rendered(row, asks: false)?.sample }

  /// The prompt of a row by itself, for generation; nil where it is too long and such rows are dropped. Running text is
  /// a prompt to go on from.
  ///
  /// - Throws: a `Diagnostic` of category `input` where the row does not fit the template, or its prompt is too long or
  ///   has no token at all.
  public func prompt(_ row: Row) throws -> Sample? { try rendered(row, asks: true)?.sample }

  /// A row's sample, or its prompt alone, and the text that it is of.
  func rendered(_ row: Row, asks: Bool) throws -> (sample: Sample, text: RenderedText)? {
    let text = try asks ? promptText(row.content) : text(row.content)
    return try (asks ? prompt(row, text) : sample(row, text)).map { ($0, text) }
  }

  private func sample(_ row: Row, _ text: RenderedText) throws -> Sample? {
    let isRunning = row.text != nil, isEndOurs = !isRunning && !text.isWhole
    precondition(!text.answers.isEmpty, "a row without a response or text, read as data for training")
    if isEndOurs && eosTokenID == nil {
      throw Diagnostic.input(
        "neither tokenizer nor model names a token that ends a text, which a row with a response needs",
        field: "eos_token_id", remedy: "choose one with end_of_text")
    }
    var parts = try encode(text)
    guard try fit(&parts, besides: isEndOurs ? 1 : 0) else { return nil }
    if !isRunning && parts.answers[0].lowerBound == 0 { throw Self.emptyPrompt }
    if isEndOurs, let eosTokenID {
      parts.tokens.append(eosTokenID)
      let last = parts.answers.removeLast()
      parts.answers.append(last.lowerBound..<parts.tokens.count)
    }
    let cutAtEnd = max(0, parts.tokens.count - maximumLength)
    parts.tokens.removeLast(cutAtEnd)
    var sample = sample(
      parts, isCut: parts.answers.last!.upperBound > maximumLength, line: row.line, hasResponse: !isRunning)
    if text.isWhole { sample.endLength = endLength(of: parts) }
    finish(&sample, of: row, text, parts, cutAtEnd: cutAtEnd)
    if sample.isConversation { sample.turns = parts.answers.count { $0.lowerBound < parts.tokens.count } }
    guard !sample.scoredPositions.isEmpty else {
      throw Diagnostic.input(
        "has \(parts.tokens.count) tokens, so there is nothing to score",
        remedy: sample.cutTokens > 0 ? "raise max_length" : nil)
    }
    return sample
  }

  /// What is scored of tokens that were cut: a position stands for the token after it, and nothing precedes the first.
  private func sample(_ parts: Encoded, isCut: Bool, line: Int, hasResponse: Bool) -> Sample {
    let count = parts.tokens.count
    let answers = parts.answers.map { $0.clamped(to: 0..<count) }.filter { !$0.isEmpty }
    let positions = answers.map { max($0.lowerBound, 1) - 1..<$0.upperBound - 1 }
    return Sample(
      TokenSequence(tokenIDs: parts.tokens, scoredPositions: ScoredPositions(runs: positions)),
      promptLength: min(response(of: parts).lowerBound, count), line: line, hasResponse: hasResponse, isCut: isCut)
  }

  /// What every sample says of its row and of what was cut.
  private func finish(_ sample: inout Sample, of row: Row, _ text: RenderedText, _ parts: Encoded, cutAtEnd: Int = 0) {
    sample.isConversation = text.isWhole || row.isConversation
    sample.cutAtStart = parts.cutAtStart
    sample.cutAtEnd = cutAtEnd
  }

  /// The last answer of which something is left.
  private func response(of parts: Encoded) -> Range<Int> {
    parts.answers.last { $0.lowerBound < parts.tokens.count } ?? parts.answers.last!
  }

  /// Tokens behind the response of a text that its template wrote: the end of the turn, and what comes after it.
  private func endLength(of parts: Encoded) -> Int {
    let count = parts.tokens.count, response = response(of: parts).clamped(to: 0..<count)
    let end = response.first { index in turnEnds.contains { $0.id == parts.tokens[index] } }
    return count - (end ?? response.upperBound)
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
    let text: RenderedText
    if let chat = chat(for: row.content) {
      let conversation = row.content.asConversation
      let whole = try chat.template.render(conversation, first: conversation.messages.count, asking: false).text
      text = RenderedText(whole: whole, answers: [])
    } else {
      text = try self.text(row.content)
    }
    let suffix = text.isWhole ? [] : encoder.suffix
    var parts = try encode(text)
    guard try fit(&parts, besides: suffix.count) else { return nil }
    let kept = parts.tokens.prefix(maximumLength - suffix.count)
    let tokens = kept + suffix
    guard !tokens.isEmpty else {
      throw Diagnostic.input("the text is empty, and the tokenizer puts no token around it")
    }
    let cutAtEnd = parts.tokens.count - kept.count
    var sample = Sample(
      tokenIDs: Array(tokens), promptLength: tokens.count, line: row.line, hasResponse: false, isCut: cutAtEnd > 0)
    finish(&sample, of: row, text, parts, cutAtEnd: cutAtEnd)
    return sample
  }

  private static var emptyPrompt: Diagnostic {
    .input("the prompt is empty, which only a tokenizer that starts every sequence with a token allows")
  }

  private func prompt(_ row: Row, _ text: RenderedText) throws -> Sample? {
    var parts = try encode(text)
    guard try parts.tokens.count <= maximumPromptLength || shorten(&parts, parts.tokens.count, to: maximumPromptLength)
    else { return nil }
    guard !parts.tokens.isEmpty else { throw Self.emptyPrompt }
    var sample = Sample(
      tokenIDs: parts.tokens, promptLength: parts.tokens.count, line: row.line, hasResponse: false, isCut: false)
    finish(&sample, of: row, text, parts)
    return sample
  }

  // MARK: Long prompts

  /// Cuts a prompt, which is all before the first answer, or all where there is none, where it is too long.
  ///
  /// - Parameter ends: Tokens that will follow.
  /// - Returns: false where its row is dropped.
  private func fit(_ parts: inout Encoded, besides ends: Int) throws -> Bool {
    let prompt = parts.answers.first?.lowerBound ?? parts.tokens.count
    let limit = promptLimit(besides: parts.tokens.count - prompt + ends)
    return try prompt <= limit || shorten(&parts, prompt, to: limit)
  }

  /// The longest prompt, the tokenizer's start included, beside a response of so many tokens.
  private func promptLimit(besides response: Int) -> Int {
    guard longPrompts == .truncateLeft else { return maximumPromptLength }
    let floor = max(maximumLength / 2, encoder.prefix.count + 1)
    return min(maximumPromptLength, max(maximumLength - response, floor))
  }

  /// Takes from a prompt's beginning what is too much; false where its row is dropped.
  private func shorten(_ parts: inout Encoded, _ prompt: Int, to limit: Int) throws -> Bool {
    switch longPrompts {
    case .truncateLeft:
      let excess = prompt - limit, lead = lead(of: parts.tokens)
      parts.tokens.removeSubrange(lead..<lead + excess)
      parts.cutAtStart = excess
      parts.answers = parts.answers.map { $0.lowerBound - excess..<$0.upperBound - excess }
      return true
    case .drop: return false
    case .refuse:
      throw Diagnostic.input(
        "the prompt has \(prompt) tokens, more than \(maximumPromptLength)",
        remedy: "raise max_length, or set long_prompts to drop or truncate-prompt-left")
    }
  }
}
