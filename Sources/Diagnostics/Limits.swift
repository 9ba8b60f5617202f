/// The largest counts that are taken from a file or a flag: more than any run needs, and so few that sums of them, and a
/// count times a batch, fit in an `Int`. What a count allocates or runs through is bounded where it is used.
public enum Limits {
  /// Steps, samples, rows, tokens over all rows: 2^40.
  public static let count = 1 << 40
  /// Samples of one step or batch: 2^20.
  public static let batch = 1 << 20
  /// Tokens of one sequence: 2^26, beyond every model's context.
  public static let sequence = 1 << 26
}
