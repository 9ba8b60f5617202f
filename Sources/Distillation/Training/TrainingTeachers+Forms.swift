import Diagnostics
import JSON
import LogitCache
import Methods
import Teachers
import Training

/// Who is asked about other forms of the samples, and which there are: any beside whoever can be asked at each step, else the pool
/// of the cache.
extension TrainingTeachers {
  /// Refuses, before anybody is asked anything, a server that is to say something of mixtures.
  static func checkForms(_ configuration: TrainingConfiguration) throws {
    let settings = configuration.objective.settings
    guard settings.mixing != nil, configuration.teacher?.served != nil, configuration.teacher?.cache == nil else {
      return
    }
    throw none(of: "mixtures", settings, "a server says nothing: it is not given embeddings")
  }

  /// Who is asked about mixtures.
  ///
  /// - Throws: a `Diagnostic` where nobody says anything of them, or the pool is another one than is asked for.
  func ofMixtures(_ need: MixingNeed, vocabulary: Int) throws -> (teacher: any MixtureTeacher, plan: MixturePlan) {
    if let live = live(vocabulary: vocabulary) {
      return (live, MixturePlan(beta: need.beta ?? MixingNeed.standardBeta, pool: fresh))
    }
    let (cache, record) = try pool("mixtures", \.mixtures)
    let plan = try MixturePlan(record: record)
    try check("beta", need.beta, plan.beta, cache)
    return (CachedTeacher(cache, vocabulary: vocabulary), plan)
  }

  /// Who is asked about twins.
  ///
  /// - Throws: as ``ofMixtures(_:vocabulary:)``.
  func ofTwins(_ need: TwinNeed, vocabulary: Int) throws -> (teacher: any Teacher, plan: TwinPlan) {
    if folder == nil, let asked = try ofData(vocabulary: vocabulary) {
      return (asked, TwinPlan(rate: need.rate ?? TwinNeed.standardRate, pool: fresh))
    }
    let (cache, record) = try pool("twins", \.twins)
    let plan = try TwinPlan(record: record)
    try check("twin_rate", need.rate, plan.rate, cache)
    return (CachedTeacher(cache, vocabulary: vocabulary), plan)
  }

  /// Forms that are new at each step.
  private var fresh: FormPool { FormPool(perSample: nil, seed: configuration.seed) }

  private func pool(
    _ what: String, _ key: KeyPath<CacheManifest, JSONObject?>
  ) throws -> (cache: LogitCache, record: JSONField) {
    guard let cache, let record = cache.manifest[keyPath: key] else {
      throw Self.none(of: what, configuration.objective.settings, "\(folder ?? "no cache") holds nothing")
    }
    return (cache, JSONField(.object(record), file: "\(cache.directory)/manifest.json"))
  }

  private func check(_ key: String, _ wanted: Double?, _ found: Double, _ cache: LogitCache) throws {
    guard let wanted, wanted != found else { return }
    throw Diagnostic.input(
      "is \(wanted), but the cache \(cache.directory) was made with \(found)", field: "objective.\(key)",
      remedy: "leave it out, which takes the cache's, or run precompute with it into another folder")
  }

  private static func none(of what: String, _ settings: any MethodSettings, _ reason: String) -> Diagnostic {
    .input(
      "objective \(settings.name) learns from \(what) of the rows, of which \(reason)", field: "teacher",
      remedy: "name teacher.model with live: true, or a cache that `decant precompute` has filled with `\(what)` too")
  }
}
