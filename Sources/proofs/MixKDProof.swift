import Distillation
import Samples
import Teachers
import Telemetry

/// MixKD (arXiv 2011.00593): where texts are few, what the teacher says of mixtures of them helps. 50 texts and 200: forward KL,
/// mixtures of a live teacher, and pools of one and of eight mixtures of each text; three seeds.
///
/// Claim, at 50: with live mixtures or eight kept ones the KL from the truth is at most .8 of that without.
struct MixKDProof: Proof {
  private static let sizes = [50, 200]
  private static let seeds: [UInt64] = [1, 2, 3]
  private static let runs = ["kd", "live", "pool of 1", "pool of 8"]

  func run(_ ledger: Ledger, work: String) throws {
    for texts in Self.sizes {
      for seed in Self.seeds {
        for run in Self.runs { try measure(run, texts, seed, ledger, work) }
      }
    }
    try judge(ledger)
  }

  private func name(_ run: String, _ texts: Int, _ seed: UInt64) -> String {
    "mixkd \(texts) texts \(run) seed \(seed)"
  }

  private func measure(_ run: String, _ texts: Int, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let name = name(run, texts, seed)
    guard try !ledger.has(name) else { return }
    let world = try ProofWorld(folder: "\(work)/mixkd-\(texts)-\(seed)", seed: seed, few: texts, width: 32)
    let objective = run == "kd" ? "{name: fkl}" : "{name: mixkd}"
    let cache = try run.hasPrefix("pool") ? pool(of: run == "pool of 1" ? 1 : 8, world) : nil
    let model = try world.student(
      run.replacing(" ", with: "-"), objective: objective, source: "fixed",
      data: run == "live" ? world.rows : nil, cache: cache)
    try ledger.add(name, Readable.decimals(world.distance(of: model).forward, 4))
  }

  private func pool(of count: Int, _ world: ProofWorld) throws -> String {
    let cache = "\(world.folder)/pool-\(count)"
    var stage = Precompute(teacher: .model(world.teacher), data: DataFiles(world.rows), cache: cache)
    stage.topK = TopicLanguage.words
    stage.mixtures = MixtureConfiguration(perSample: count)
    _ = try stage.run()
    return cache
  }

  private func judge(_ ledger: Ledger) throws {
    func mean(_ run: String, _ texts: Int) throws -> Double {
      try Self.seeds.compactMap { try ledger.numbers(name(run, texts, $0))?[0] }.reduce(0, +)
        / Double(Self.seeds.count)
    }
    func shown(_ texts: Int) throws -> String {
      try Self.runs.map { "\($0) \(Readable.decimals(try mean($0, texts), 3))" }.joined(separator: ", ")
    }
    let few = Self.sizes[0], without = try mean("kd", few)
    let ratio = try min(mean("live", few), mean("pool of 8", few)) / without
    try ledger.judge(
      "mixkd", isMet: ratio <= 0.8,
      "KL from the truth with 50 texts: \(shown(few)), \(Readable.decimals(ratio, 2)) of it (at most .80); with 200: \(shown(200))"
    )
  }
}
