package import Fingerprints
package import Tokenizers

/// Texts to token ids, without what starts and ends a sequence.
package struct TextEncoder: Sendable {
  package var prefix: [Int32]
  package var suffix: [Int32]
  package var fingerprint: Fingerprint
  /// What stands for text outside the vocabulary; nil for a vocabulary that can express every text.
  package var unknownTokenID: Int32?
  /// The ids of a text, and where some offsets into its UTF-8 fall among them, as `Tokenizer.encode(_:borders:)`.
  package typealias Encoding =
    @Sendable (_ text: String, _ borders: [Int]) throws -> (ids: [Int32], borders: [TokenBorder])

  package var encode: Encoding
  /// The same of a text that a chat template wrote, in which the tokens that it names are those tokens.
  package var encodeWritten: Encoding

  /// - Parameter named: The texts of the tokens that the chat template names.
  package init(_ tokenizer: Tokenizer, named: [String] = []) {
    prefix = tokenizer.prefixTokens
    suffix = tokenizer.suffixTokens
    fingerprint = Fingerprint(of: tokenizer.contentBytes)
    unknownTokenID = tokenizer.unknownTokenID
    encode = { try tokenizer.encode($0, borders: $1) }
    let literals = tokenizer.literals(naming: named)
    encodeWritten = { try tokenizer.encode($0, borders: $1, literals: literals) }
  }

  /// Any encoding of whole texts.
  package init(
    prefix: [Int32], suffix: [Int32] = [], fingerprint: Fingerprint, unknownTokenID: Int32? = nil,
    encode: @escaping @Sendable (String) throws -> [Int32]
  ) {
    self.prefix = prefix
    self.suffix = suffix
    self.fingerprint = fingerprint
    self.unknownTokenID = unknownTokenID
    let whole: Encoding = { text, places in
      let ids = try encode(text)
      let borders = try places.map { place in
        TokenBorder(behind: try encode(String(decoding: text.utf8.prefix(place), as: UTF8.self)), in: ids)
      }
      return (ids, borders)
    }
    (self.encode, encodeWritten) = (whole, whole)
  }
}
