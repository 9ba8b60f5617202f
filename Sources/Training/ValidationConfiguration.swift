import Configuration
import Diagnostics

/// When the validation rows are scored (also once before the first step and after the last).
public struct ValidationConfiguration: Sendable, Codable {
  /// Steps between validations; 0: only before the first step and after the last.
  public var every = 0
  /// At most this many rows, from the front of the file; all where absent.
  public var limit: Int?

  private enum CodingKeys: String, CodingKey { case every, limit }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    every = try keys.decode(.every, default: every)
    limit = try keys.decodeIfPresent(Int.self, forKey: .limit)
    try keys.checked(validate)
  }

  /// Checks the counts.
  public func validate() throws {
    try CodingKeys.every.checkNotNegative(every)
    try CodingKeys.limit.checkPositive(limit)
  }
}
