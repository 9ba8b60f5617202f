public import JSON

/// How far a row is from what the training rows show.
public enum Novelty: String, Sendable, CaseIterable {
  /// Seen names in seen pairs, in a row of its own.
  case row
  /// Seen names, and at least one pair of words that no training row brings together.
  case combination
  /// At least one name that no training row shows.
  case entity
}

/// One row of the finished instruction set.
public struct InstructionRow: Sendable, Equatable {
  /// What is asked.
  public var instruction: String
  /// The material it is asked about; empty where the instruction says all.
  public var input: String
  /// One good answer out of the many that the family may phrase.
  public var output: String
  /// Name of the task family that made the row.
  public var family: String
  /// How far the row is from what training shows.
  public var novelty: Novelty

  /// The row as it stands in the files: `{"instruction","input","output","family","split_kind"}`.
  public var json: JSONValue {
    .object(
      JSONObject([
        ("instruction", .string(instruction)), ("input", .string(input)), ("output", .string(output)),
        ("family", .string(family)), ("split_kind", .string(novelty.rawValue)),
      ]))
  }
}
