import Configuration
import Diagnostics

/// When checkpoints are written and how many are kept.
public struct CheckpointConfiguration: Sendable, Codable {
  /// Steps between checkpoints; 0: only after the last step (and when the run is interrupted).
  public var every = 0
  /// The newest so many are kept, and the best by validation loss.
  public var keep = 3

  private enum CodingKeys: String, CodingKey { case every, keep }

  public init() {}

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    every = try keys.decode(.every, default: every)
    keep = try keys.decode(.keep, default: keep)
    try keys.checked(validate)
  }

  /// Checks the counts.
  public func validate() throws {
    try CodingKeys.every.checkNotNegative(every)
    try CodingKeys.keep.checkPositive(keep)
  }
}
