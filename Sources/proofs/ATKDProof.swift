import Files
import Glibc
import LogitCache
import Sequences
import TeacherSignal
import Telemetry

/// ATKD (arXiv 2402.11890): a teacher that is too sure of the token that follows silences, in forward KL, what it knows of the
/// others. 200 texts, a teacher whose distribution is e p + (1 - e) on that token, e = 1 (as it is), .3 and .05, three seeds.
///
/// Claim: at e = .05 ATKD's KL from the truth is at most .85 of forward KL's. Beside it what a calibrated teacher gives.
struct ATKDProof: Proof {
  private static let losses = ["fkl": "{name: fkl}", "atkd": "{name: atkd}"]
  private static let shares = ["1", "0.3", "0.05"]
  private static let seeds: [UInt64] = [1, 2, 3]

  func run(_ ledger: Ledger, work: String) throws {
    for seed in Self.seeds {
      for loss in Self.losses.keys.sorted() {
        for share in Self.shares { try measure(loss, share, seed, ledger, work) }
      }
    }
    try judge(ledger)
  }

  private func name(_ loss: String, _ share: String, _ seed: UInt64) -> String {
    "atkd \(loss) e \(share) seed \(seed)"
  }

  private func measure(_ loss: String, _ share: String, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let name = name(loss, share, seed)
    guard try !ledger.has(name) else { return }
    let world = try ProofWorld(folder: "\(work)/atkd-\(seed)", seed: seed, few: 200, width: 32)
    let cache = "\(world.folder)/cache-\(share)"
    try Self.write(cache, surerThan: world.cache, share: Double(share) ?? 1)
    let model = try world.student(
      "\(loss)-\(share)", objective: Self.losses[loss] ?? "", source: "fixed", cache: cache)
    try ledger.add(name, Readable.decimals(world.distance(of: model).forward, 4))
  }

  private func judge(_ ledger: Ledger) throws {
    func mean(_ loss: String, _ share: String) throws -> Double {
      try Self.seeds.compactMap { try ledger.numbers(name(loss, share, $0))?[0] }.reduce(0, +)
        / Double(Self.seeds.count)
    }
    let pairs = try Self.shares.map { share in (fkl: try mean("fkl", share), atkd: try mean("atkd", share)) }
    let ratio = pairs[2].atkd / pairs[2].fkl
    func shown(_ pair: (fkl: Double, atkd: Double)) -> String {
      "fkl \(Readable.decimals(pair.fkl, 3)), atkd \(Readable.decimals(pair.atkd, 3))"
    }
    try ledger.judge(
      "atkd", isMet: ratio <= 0.85,
      "KL from the truth with an over-confident teacher, e .05: \(shown(pairs[2])), \(Readable.decimals(ratio, 2)) of it (at "
        + "most .85); e .3: \(shown(pairs[1])); calibrated: \(shown(pairs[0]))")
  }

  /// A cache with the samples of another, whose teacher is made surer of the token that follows.
  private static func write(_ folder: String, surerThan original: String, share: Double) throws {
    guard !File.exists("\(folder)/manifest.json") else { return }
    let cache = try LogitCache(directory: original)
    var manifest = cache.manifest
    manifest.codec = .exact
    manifest.topK = manifest.vocabularySize
    var samples: [ScoredSample] = []
    try cache.forEachSample(in: .keys) { _, sample in
      var surer = sample
      surer.signal = signal(sample.signal, targets: sample.trainedSequence.targets, share: share)
      samples.append(surer)
    }
    try LogitCacheWriter(directory: folder, manifest: manifest).append(samples)
  }

  private static func signal(_ signal: SparseSignal, targets: [Int32], share: Double) -> SparseSignal {
    var surer = SparseSignal()
    for position in 0..<signal.positionCount {
      func mixed(_ logProb: Float, isTarget: Bool) -> Float {
        Float(log(share * exp(Double(logProb)) + (isTarget ? 1 - share : 0)))
      }
      let entries = signal.entries(at: position), target = targets[position]
      let isKept = signal.ids[entries].contains(target)
      let ranked = entries.map {
        (id: signal.ids[$0], logProb: mixed(signal.logProbs[$0], isTarget: signal.ids[$0] == target))
      }
      .sorted { ($1.logProb, $0.id) < ($0.logProb, $1.id) }
      surer.append(
        ids: ranked.map(\.id), logProbs: ranked.map(\.logProb),
        tail: mixed(signal.tailLogProb[position], isTarget: !isKept),
        target: mixed(signal.targetLogProb[position], isTarget: true))
    }
    return surer
  }
}
