/// Tokens that are found in a text as written beside those of its tokenizer, since somebody names them: a chat template
/// writes its `eos_token` as a text and means the token, also where the tokenizer.json lists it among the ordinary ones.
public struct NamedLiterals: Sendable {
  /// Finds them and the tokenizer's own.
  let matcher: AddedTokenMatcher
  /// Their ids.
  public let ids: Set<Int32>
}

extension Tokenizer {
  /// The tokens of some texts that are not found in every text anyway; nil where there are none.
  ///
  /// - Parameter texts: Those that are no token count for nothing.
  public func literals(naming texts: [String]) -> NamedLiterals? {
    let named = texts.compactMap { text in id(of: text).map { AddedToken(special: text, id: $0) } }
    let others = named.filter { !isAdded($0.id) }
    if others.isEmpty { return nil }
    return NamedLiterals(matcher: AddedTokenMatcher(literals + others), ids: Set(others.map(\.id)))
  }
}
