import Configuration
import Diagnostics
public import Teachers

/// Where the teacher's distributions come from.
///
/// A cache with a teacher beside it is filled as the run goes: samples that it lacks are asked about when they come up, and
/// what is learnt stays.
public struct TeacherConfiguration: Sendable, Codable {
  /// The teacher's model directory or hub id; needed for `live: true`, for `student: {layers}`, and, unless there is a server,
  /// for replay and for samples that the cache lacks.
  public var model: String?
  /// A server that is asked instead of a model here. Its keys stand beside those of this one: `url`, `tokenizer` and the others
  /// of `ServedSettings`.
  public var served: ServedSettings?
  /// The cache that `precompute` wrote, or that this run is to fill.
  public var cache: String?
  /// Ask the teacher at each step instead of reading the cache; of a model here whole distributions are compared then.
  public var live = false
  /// Entries kept per position of what is not in a cache yet; the cache's own value where there is a cache.
  public var topK: Int?

  /// Who can be asked; nil where there is a cache alone.
  public var source: TeacherSource? { served.map(TeacherSource.served) ?? model.map(TeacherSource.model) }

  private enum CodingKeys: String, CodingKey {
    case model, url, cache, live
    case topK = "top_k"
  }

  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    model = try keys.decodeIfPresent(String.self, forKey: .model)
    if keys.contains(.url) { served = try ServedSettings(from: decoder) }
    cache = try keys.decodeIfPresent(String.self, forKey: .cache)
    live = try keys.decode(.live, default: live)
    topK = try keys.decodeIfPresent(Int.self, forKey: .topK)
    try keys.checked(validate)
  }

  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encodeIfPresent(model, forKey: .model)
    try served?.encode(to: encoder)
    try keys.encodeIfPresent(cache, forKey: .cache)
    try keys.encode(live, forKey: .live)
    try keys.encodeIfPresent(topK, forKey: .topK)
  }

  /// Checks the counts, and that there is one teacher.
  func validate() throws {
    try CodingKeys.topK.checkPositive(topK)
    try served?.validate()
    guard model != nil, served != nil else { return }
    throw Diagnostic.input(
      "names a server beside the model \(model ?? "")", field: "url", remedy: "keep one of them: model, or url")
  }
}
