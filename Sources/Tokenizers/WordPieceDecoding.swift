/// Word pieces as text again: the decoder `WordPiece` of a tokenizer file.
enum WordPieceDecoding {
  /// A token as text: what goes on within a word loses its prefix, all else but the first token has a space put before.
  ///
  /// - Parameter cleansUp: Take back, within the token's text, the spaces that cutting at punctuation put there.
  static func text(_ token: [UInt8], isFirst: Bool, _ prefix: [UInt8], cleansUp: Bool) -> [UInt8] {
    var text = token
    if !isFirst {
      text = token.starts(with: prefix) ? Array(token.dropFirst(prefix.count)) : [UInt8(ascii: " ")] + token
    }
    guard cleansUp, text.contains(UInt8(ascii: " ")) else { return text }
    return repairs.reduce(text) { replace($1.from, by: $1.to, in: $0) }
  }

  /// In the reference's order.
  private static let repairs: [(from: [UInt8], to: [UInt8])] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
    (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.utf8), Array($1.utf8)) }

  private static func replace(_ old: [UInt8], by new: [UInt8], in text: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var rest = text[...]
    while let byte = rest.first {
      if rest.starts(with: old) {
        result += new
        rest = rest.dropFirst(old.count)
      } else {
        result.append(byte)
        rest = rest.dropFirst()
      }
    }
    return result
  }
}
