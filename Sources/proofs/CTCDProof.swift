import Telemetry

/// CTCD (arXiv 2311.02849): a large and a small model that learn from few texts overfit less where each learns from the other too.
/// 600 texts and, for the other end, 6,000: each alone, the small one from the large one when that is done, and both together;
/// three seeds.
///
/// Claim, at 600: together the large one's KL from the truth is at most .85 of what it is alone, and the small one's below that of
/// the large one alone.
struct CTCDProof: Proof {
  private static let sizes = [600, 6000]
  private static let seeds: [UInt64] = [1, 2, 3]
  /// Columns of the two, the layers of the large one.
  private static let (small, large, layers) = (24, 48, 2)
  private static let alpha = "0.5"

  func run(_ ledger: Ledger, work: String) throws {
    for texts in Self.sizes {
      for seed in Self.seeds { try measure(texts, seed, ledger, work) }
    }
    try judge(ledger)
  }

  private func name(_ run: String, _ texts: Int, _ seed: UInt64) -> String { "ctcd \(texts) texts \(run) seed \(seed)" }

  private func measure(_ texts: Int, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let world = try ProofTexts(folder: "\(work)/ctcd-\(texts)-\(seed)", seed: seed, sets: ["few": texts])
    let small = world.shape(width: Self.small, layers: 1), large = world.shape(width: Self.large, layers: Self.layers)
    func measured(_ run: String, _ train: () throws -> String) throws {
      let name = name(run, texts, seed)
      guard try !ledger.has(name) else { return }
      try ledger.add(name, Readable.decimals(world.distance(of: train()).forward, 4))
    }
    func alone(_ name: String, _ shape: String) throws -> String {
      try world.train(name, student: shape, keys: "objective: {name: sft}")
    }
    try measured("large alone") { try alone("large", large) }
    try measured("small alone") { try alone("small", small) }
    try measured("small from the finished large one") {
      let teacher = try alone("large", large)
      return try world.train(
        "one-way", student: small,
        keys:
          "teacher: {model: \(teacher), live: true}\nobjective: {name: fkl, divergence_weight: \(Self.alpha), cross_entropy_weight: 1}"
      )
    }
    func together() throws -> String {
      try world.train(
        "together", student: small,
        keys:
          "partner: {config: \(ProofTexts.config(width: Self.large, layers: Self.layers))}\nobjective: {name: ctcd, alpha: \(Self.alpha)}"
      )
    }
    try measured("small together") { try together() }
    try measured("large together") { try "\(together())/partner" }
  }

  private func judge(_ ledger: Ledger) throws {
    func mean(_ run: String, _ texts: Int) throws -> Double {
      try Self.seeds.compactMap { try ledger.numbers(name(run, texts, $0))?[0] }.reduce(0, +)
        / Double(Self.seeds.count)
    }
    func row(_ texts: Int) throws -> (
      large: Double, small: Double, oneWay: Double, bothLarge: Double, bothSmall: Double
    ) {
      try (
        mean("large alone", texts), mean("small alone", texts), mean("small from the finished large one", texts),
        mean("large together", texts), mean("small together", texts)
      )
    }
    let few = try row(Self.sizes[0]), rich = try row(Self.sizes[1])
    func shown(_ row: (large: Double, small: Double, oneWay: Double, bothLarge: Double, bothSmall: Double)) -> String {
      func text(_ number: Double) -> String { Readable.decimals(number, 3) }
      return
        "large \(text(row.large)) alone, \(text(row.bothLarge)) together (\(Readable.decimals(row.bothLarge / row.large, 2))), "
        + "small \(text(row.small)), \(text(row.oneWay)) from the finished large one, \(text(row.bothSmall)) together"
    }
    try ledger.judge(
      "ctcd", isMet: few.bothLarge <= 0.85 * few.large && few.bothSmall < few.large,
      "KL from the truth with 600 texts: \(shown(few)) (at most .85, and small together below large alone); with 6,000: \(shown(rich))"
    )
  }
}
