import Diagnostics
import Files
public import Fingerprints

extension Tokenizer {
  /// The text that generated tokens add to a prompt.
  ///
  /// Decoders in SentencePiece's style drop a leading space, so a continuation decoded by itself would lose the space
  /// that parts it from the prompt: what is decoded is the whole, and the prompt's text is taken off its front.
  ///
  /// - Throws: a `Diagnostic` where the tokenizer's decoder cannot make a text of them.
  public func response(_ generated: [Int32], after prompt: [Int32]) throws -> String {
    let front = try decode(prompt, skipSpecialTokens: true)
    let whole = try decode(prompt + generated, skipSpecialTokens: true)
    guard whole.utf8.starts(with: front.utf8),
      let rest = String(whole.utf8.dropFirst(front.utf8.count))
    else { return try decode(generated, skipSpecialTokens: true) }
    return rest
  }
}

/// A tokenizer, the folder or GGUF file it came from and its fingerprint.
public struct TokenizerBundle: Sendable {
  public let tokenizer: Tokenizer
  /// The folder or GGUF file it was read from.
  public let directory: String
  /// Of `tokenizer.json`: two models share a tokenizer where these are equal.
  public let fingerprint: Fingerprint

  /// Reads `tokenizer.json` and its companions.
  ///
  /// - Throws: a `Diagnostic` where the folder has no `tokenizer.json` or it has an unknown part.
  public init(directory: String) throws {
    tokenizer = try Tokenizer(directory: directory)
    self.directory = directory
    fingerprint = Fingerprint(of: tokenizer.contentBytes)
  }

  /// Refuses a tokenizer that differs from another one's.
  ///
  /// - Parameters:
  ///   - mine: What this tokenizer belongs to, for the message, such as `the student`.
  ///   - other: The other's fingerprint.
  ///   - theirs: What the other belongs to, such as `the cache runs/cache`.
  public func requireEqual(to other: Fingerprint, mine: String, theirs: String) throws {
    guard other != fingerprint else { return }
    throw Diagnostic.input(
      "\(mine) and \(theirs) use different tokenizers: \(fingerprint) and \(other)",
      file: tokenizer.path,
      remedy: "use a teacher and a student with the same tokenizer.json")
  }
}
