public import Fingerprints

/// A sequence that somebody is asked about. It is known by its content and its name; its tokens are made where somebody
/// needs them, since a teacher that has been asked before does not.
public struct AskedSequence: Sendable {
  /// Fingerprint of the tokens and their scored positions, as ``TokenSequence/fingerprint``.
  public var contentKey: Fingerprint {
    switch content {
    case .tokens(let sequence): sequence.fingerprint
    case .made(let key, _): key
    }
  }

  private enum Content: Sendable {
    case tokens(TokenSequence)
    case made(key: Fingerprint, @Sendable () throws -> TokenSequence)
  }

  private let content: Content
  private let describe: @Sendable () -> String

  /// A sequence at hand.
  ///
  /// - Parameter name: What messages call it, such as `data/train.jsonl line 12`; looked up for a message alone.
  public init(_ sequence: TokenSequence, name: @escaping @Sendable @autoclosure () -> String) {
    content = .tokens(sequence)
    describe = name
  }

  /// A sequence that is made when it is needed.
  ///
  /// - Parameters:
  ///   - contentKey: Its fingerprint.
  ///   - make: The sequence of that fingerprint.
  public init(
    contentKey: Fingerprint, name: @escaping @Sendable @autoclosure () -> String,
    make: @escaping @Sendable () throws -> TokenSequence
  ) {
    content = .made(key: contentKey, make)
    describe = name
  }

  /// What messages call it.
  public var name: String { describe() }

  /// The tokens and which of their positions are scored.
  ///
  /// - Throws: what making them does, such as a `Diagnostic` for a file of rows that has changed.
  public func sequence() throws -> TokenSequence {
    switch content {
    case .tokens(let sequence): sequence
    case .made(_, let make): try make()
    }
  }
}
