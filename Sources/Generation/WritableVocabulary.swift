/// The ids that a generated text may hold.
///
/// The rows of a model's vocabulary are often padded beyond its tokenizer's tokens. What no tokenizer writes nobody
/// teaches: such rows keep the weights they began with, and would be sampled now and then if they took part.
public struct WritableVocabulary: Sendable, Equatable {
  /// Ids from here on are never written.
  public let count: Int
  /// Ids below ``count`` that are not written either, ascending.
  public let excluded: [Int32]

  /// - Precondition: `excluded` lies below `count`.
  public init(count: Int, excluded: [Int32] = []) {
    precondition(
      excluded.allSatisfy { $0 >= 0 && $0 < count }, "ids to leave out of a vocabulary of \(count) lie outside it")
    self.count = count
    self.excluded = excluded.sorted()
  }

  /// How many ids are written.
  public var size: Int { count - excluded.count }
}
