import Diagnostics
public import Tokenizers

/// Finds the assistant's turns in the text of a chat template: which part of it the assistant would have written.
///
/// A template that marks them with `{% generation %}` has said it. Of any other, a turn begins where the text ends that
/// the template writes to ask for it (`add_generation_prompt`), and ends with the token that ends a turn. Where the text
/// that asks is not how the whole text begins, as with templates that rewrite what came before, there is no such place, and
/// the row is refused.
struct AnswerSearch {
  let template: ChatTemplate
  /// The texts of the tokens that end a turn.
  let ends: [String]

  /// The whole text of a conversation and the turns that are scored.
  ///
  /// - Throws: a `Diagnostic` of category `input` with the message where a turn's place cannot be told, and where the
  ///   template refuses the conversation.
  func text(_ conversation: Conversation, scoring turns: TrainOn) throws -> RenderedText {
    let messages = conversation.messages
    let spoken = messages.indices.filter { messages[$0].isAssistant }
    guard let last = spoken.last, turns == .assistant || last == messages.count - 1 else {
      throw Diagnostic.input(
        "ends with a message of the \(messages.last?.role ?? "nobody"), so there is no response", field: "messages",
        remedy: "set train_on to assistant, which trains on every turn of the assistant, or leave the row out")
    }
    let whole = try template.render(conversation, first: messages.count, asking: false)
    let bytes = Array(whole.text.utf8)
    if let marked = whole.marked, !marked.isEmpty {
      let answers = marked.map { $0.lowerBound..<end(after: $0.upperBound, in: bytes) }
      return RenderedText(
        whole: whole.text, answers: turns == .assistant ? answers : try lastOf(answers, conversation, bytes))
    }
    var answers: [Range<Int>] = []
    for index in turns == .assistant ? spoken : [last] {
      let start = try start(of: index, in: conversation, bytes)
      guard answers.last.map({ $0.upperBound <= start }) ?? true else { throw Self.ambiguous(index) }
      try requireNoEnd(in: messages[index], at: index)
      answers.append(start..<(try end(from: start, of: index, in: conversation, bytes)))
    }
    return RenderedText(whole: whole.text, answers: answers)
  }

  /// What asks for the assistant's next turn.
  func prompt(_ conversation: Conversation) throws -> String {
    try template.render(conversation, first: conversation.beforeResponse.count, asking: true).text
  }

  // MARK: Places

  private func start(of index: Int, in conversation: Conversation, _ whole: [UInt8]) throws -> Int {
    let asked = try template.render(conversation, first: index, asking: true).text
    guard whole.starts(with: asked.utf8) else {
      throw Diagnostic.input(
        "the chat template writes the turns before this one in another way when others follow, so where it begins "
          + "cannot be told", field: "messages[\(index)]",
        remedy: "use a chat template that marks turns with {% generation %}, or leave the row out")
    }
    return asked.utf8.count
  }

  /// Where the turn ends: behind its token, or, of a template that writes none, where the text of all turns up to it ends.
  private func end(from start: Int, of index: Int, in conversation: Conversation, _ whole: [UInt8]) throws -> Int {
    if let end = firstEnd(in: whole[start...]) { return end }
    let upToIt = try template.render(conversation, first: index + 1, asking: false).text
    guard whole.starts(with: upToIt.utf8), upToIt.utf8.count >= start else { throw Self.ambiguous(index) }
    return upToIt.utf8.count
  }

  /// Behind the first token that ends a turn.
  private func firstEnd(in bytes: ArraySlice<UInt8>) -> Int? {
    ends.compactMap { end -> (start: Int, end: Int)? in
      let wanted = Array(end.utf8)
      return bytes.firstIndex(of: wanted).map { ($0, $0 + wanted.count) }
    }.min { $0.start < $1.start }?.end
  }

  /// Behind the token that ends a turn, where one stands right here.
  private func end(after place: Int, in bytes: [UInt8]) -> Int {
    ends.first { bytes[place...].starts(with: $0.utf8) }.map { place + $0.utf8.count } ?? place
  }

  /// Of the marked parts, those of the response.
  private func lastOf(
    _ answers: [Range<Int>], _ conversation: Conversation, _ whole: [UInt8]
  ) throws -> [Range<Int>] {
    let before = try template.render(conversation, first: conversation.messages.count - 1, asking: false).text
    guard whole.starts(with: before.utf8) else { return Array(answers.suffix(1)) }
    let own = answers.filter { $0.lowerBound >= before.utf8.count }
    return own.isEmpty ? Array(answers.suffix(1)) : own
  }

  /// A turn that itself writes what ends a turn would end at two places.
  private func requireNoEnd(in message: Conversation.Message, at index: Int) throws {
    let bytes = Array((message.text ?? "").utf8)
    guard let end = ends.first(where: { bytes[...].firstIndex(of: Array($0.utf8)) != nil }) else { return }
    throw Diagnostic.input(
      "holds \(end), which ends a turn of the chat template, so where it ends cannot be told",
      field: "messages[\(index)].content", remedy: "take it out, or leave the row out")
  }

  private static func ambiguous(_ index: Int) -> Diagnostic {
    .input(
      "where this turn ends cannot be told from the chat template's text", field: "messages[\(index)]",
      remedy: "use a chat template that marks turns with {% generation %}, or leave the row out")
  }
}

extension ArraySlice<UInt8> {
  /// Where some bytes first stand.
  fileprivate func firstIndex(of wanted: [UInt8]) -> Int? {
    guard let first = wanted.first, count >= wanted.count else { return nil }
    var index = startIndex
    while index <= endIndex - wanted.count, let next = self[index...].firstIndex(of: first) {
      if self[next...].starts(with: wanted) { return next }
      index = next + 1
    }
    return nil
  }
}

extension ChatTemplate {
  /// The tokens that end a turn of the assistant: first that of the last turn, then, where it is another, that of a turn
  /// that others follow; none where the template writes no token there. Found in what it makes of a short conversation.
  ///
  /// - Throws: a `Diagnostic` where the tokenizer cannot read what the template wrote.
  public func endsOfTurn(in tokenizer: Tokenizer) throws -> [Int32] {
    // No template has a reason to write this by itself.
    let answer = "decant-answer"
    let turns = Conversation([.init("user", "question"), .init("assistant", answer), .init("user", "question")])
    let literals = tokenizer.literals(naming: tokenTexts)
    var ends: [Int32] = []
    for count in [2, 3] {
      // A template that takes no such conversation, or cannot be run, says so when a row needs it.
      guard let text = try? render(turns, first: count, asking: false).text,
        let place = Array(text.utf8)[...].firstIndex(of: Array(answer.utf8))
      else { continue }
      let rest = String(decoding: text.utf8.dropFirst(place + answer.utf8.count), as: UTF8.self)
      let tokens = try tokenizer.encode(rest, borders: [], literals: literals).ids
      let end = tokens.first { tokenizer.isSpecial($0) || literals?.ids.contains($0) ?? false }
      if let end, !ends.contains(end) { ends.append(end) }
    }
    return ends
  }
}
