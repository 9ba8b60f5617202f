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

  /// The border behind a text whose tokens alone are known, among those of a longer text that begins with it.
  ///
  /// - Parameter start: Tokens of both before these.
  public init(behind alone: [Int32], in whole: some Sequence<Int32>, from start: Int = 0) {
    let common = zip(alone, whole).prefix { $0 == $1 }.count
    before = start + common
    through = before + (common < alone.count ? 1 : 0)
  }
}
