import Configuration
import Diagnostics

/// Where the teacher's distributions come from.
public struct TeacherConfiguration: Sendable, Codable {
  /// The teacher's model directory or hub id; needed for `live`, for replay and for `student: {layers}`.
  public var model: String?
  /// The cache that `precompute` wrote.
  public var cache: String?
  /// Compute the teacher's dense logits at each step instead of reading the cache.
  public var live = false
  /// Entries kept per position when student outputs are scored; the cache's own value where there is a cache.
  public var topK: Int?

  private enum CodingKeys: String, CodingKey {
    case model, cache, live
    case topK = "top_k"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    model = try keys.decodeIfPresent(String.self, forKey: .model)
    cache = try keys.decodeIfPresent(String.self, forKey: .cache)
    live = try keys.decode(.live, default: live)
    topK = try keys.decodeIfPresent(Int.self, forKey: .topK)
    try keys.checked(validate)
  }

  /// Checks the counts.
  func validate() throws { try CodingKeys.topK.checkPositive(topK) }
}
