import Sequences
import Tokenizers

/// A row's text and tokens for people: which of the tokens are whose.
public struct SampleDisplay: Sendable, Equatable {
  /// Tokens of one speaker.
  public struct Part: Sendable, Equatable {
    /// `system`, `user`, `assistant` or what else a conversation names; `prompt` and `response` of any other row, `text` of
    /// running text. Nil for tokens of which that cannot be told.
    public var role: String?
    public var tokens: Range<Int>
  }

  public var sample: Sample
  /// The text as the template writes it, before anything is cut; the token that ends a response is not in it where the sample
  /// adds it.
  public var text: String
  /// The sample's tokens in order, without gaps.
  public var parts: [Part]
}

extension SampleBuilder {
  /// A row as it is trained on, or as it is asked, with who says what.
  ///
  /// - Parameter asks: Whether it is the prompt alone that is wanted.
  /// - Throws: as ``sample(_:)`` and ``prompt(_:)``.
  public func display(_ row: Row, asks: Bool) throws -> SampleDisplay? {
    guard let (sample, text) = try rendered(row, asks: asks) else { return nil }
    let roles = try roles(row, text)
    let (tokens, borders) = try tokens(of: text, borders: roles.map(\.end))
    let lead = lead(of: tokens), count = sample.tokenIDs.count
    var parts: [SampleDisplay.Part] = [], start = 0
    for (role, place) in zip(roles.map(\.role), borders.map(\.before)) {
      let end = max(start, min(place <= lead ? place : max(lead, place - sample.cutAtStart), count))
      if end > start { parts.append(.init(role: role, tokens: start..<end)) }
      start = end
    }
    // What ends a response is the response's.
    if start < count, let last = parts.popLast() {
      parts.append(.init(role: last.role, tokens: last.tokens.lowerBound..<count))
    }
    if parts.isEmpty { parts = [.init(role: nil, tokens: 0..<count)] }
    return SampleDisplay(sample: sample, text: text.text, parts: parts)
  }

  /// Who says what up to which byte of the text.
  private func roles(_ row: Row, _ text: RenderedText) throws -> [(role: String?, end: Int)] {
    let whole = text.text.utf8.count
    guard let chat = chat(for: row.content) else {
      guard row.text == nil else { return [("text", whole)] }
      return [("prompt", text.promptEnd), ("response", whole)].filter { $0.1 > 0 }
    }
    let conversation = row.content.asConversation
    var roles: [(role: String?, end: Int)] = []
    for (index, message) in conversation.messages.enumerated() {
      let upToIt = try? chat.template.render(conversation, first: index + 1, asking: false).text
      guard let upToIt, text.text.utf8.starts(with: upToIt.utf8), upToIt.utf8.count > roles.last?.end ?? 0 else {
        continue
      }
      // Messages whose own end cannot be told are shown with the first one behind them whose end can.
      roles.append((roles.count == index ? message.role : nil, upToIt.utf8.count))
    }
    return roles.last?.end == whole ? roles : roles + [("assistant", whole)]
  }
}
