/// Where a place of a text falls among the text's tokens.
public struct TokenBorder: Sendable, Equatable {
  /// Leading tokens that are of the text before the place alone.
  public var before: Int
  /// Leading tokens that are of the text before the place at all: one more where a token crosses it.
  public var through: Int

  public init(before: Int, through: Int) {
    self.before = before
    self.through = through
  }
}
