/// The longest responses of a run's steps: the same for all, or growing evenly from the first step to the last. A student that
/// writes little as yet learns as much from the beginnings of responses, which cost less (TOPD, arXiv 2605.31490).
public struct ResponseLengths: Sendable, Equatable, Codable {
  /// Tokens of the first step's.
  public var first: Int
  /// Tokens of the last step's.
  public var last: Int

  public init(first: Int, last: Int) {
    self.first = first
    self.last = last
  }

  /// Tokens of a step's, counted from 0, of a run of `total`.
  public func tokens(step: Int, of total: Int) -> Int {
    guard total > 1 else { return last }
    let progress = Double(min(step, total - 1)) / Double(total - 1)
    return first + Int((Double(last - first) * progress).rounded())
  }

  /// The most of any step.
  public var most: Int { max(first, last) }

  // MARK: As `max_new_tokens` of a configuration: a number, or `{from: 32, to: 256}`

  private enum CodingKeys: String, CodingKey {
    case first = "from"
    case last = "to"
  }

  public init(from decoder: any Decoder) throws {
    if let tokens = try? decoder.singleValueContainer().decode(Int.self) {
      self.init(first: tokens, last: tokens)
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(first: try keys.decode(Int.self, forKey: .first), last: try keys.decode(Int.self, forKey: .last))
  }

  public func encode(to encoder: any Encoder) throws {
    guard first != last else {
      var value = encoder.singleValueContainer()
      return try value.encode(last)
    }
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(first, forKey: .first)
    try keys.encode(last, forKey: .last)
  }
}
