/// Tokens that are found in a text as written, those of a tokenizer and others that somebody names: a chat template writes
/// its `eos_token` as a text and means the token, also where the tokenizer.json lists it among the ordinary ones.
public struct NamedLiterals: Sendable {
  let matcher: AddedTokenMatcher
  /// The ids of those that the tokenizer does not find by itself.
  public let others: Set<Int32>
}

extension Tokenizer {
  /// The tokens of some texts beside those that are found in every text.
  ///
  /// - Parameter texts: Those that are no token count for nothing.
  public func literals(naming texts: [String]) -> NamedLiterals {
    let named = texts.compactMap { text in self.id(of: text).map { AddedToken(special: text, id: $0) } }
    let others = named.filter { !$0.content.isEmpty && !isAdded($0.id) }
    return NamedLiterals(matcher: AddedTokenMatcher(literals + others), others: Set(others.map(\.id)))
  }
}
