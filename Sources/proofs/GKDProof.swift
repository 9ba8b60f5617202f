import Telemetry

/// GKD (arXiv 2306.13649): a student that learns from its own texts too goes less astray on them. 60 texts, three losses, the
/// student's share 0, .5 and 1, three seeds; and, to keep what more texts do apart from whose they are, the share 0 with as many
/// texts that the teacher wrote as the student would.
///
/// Claim: reverse KL to the truth on the student's own texts at .5 is at most .7 of that at 0, of each loss.
struct GKDProof: Proof {
  private static let losses = ["fkl": "{name: fkl}", "jsd": "{name: jsd, beta: 0.5}", "rkl": "{name: rkl}"]
  private static let shares = ["0", "0.5", "1"]
  private static let seeds: [UInt64] = [1, 2, 3]

  func run(_ ledger: Ledger, work: String) throws {
    for seed in Self.seeds {
      try measureTeacher(seed, ledger, work)
      for loss in Self.losses.keys.sorted() {
        for share in Self.shares { try measure(loss, share, seed, ledger, work) }
        try measureWritten(loss, seed, ledger, work)
      }
    }
    for loss in Self.losses.keys.sorted() { try judge(loss, ledger) }
  }

  private func measure(_ loss: String, _ share: String, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let name = "gkd \(loss) share \(share) seed \(seed)"
    guard try !ledger.has(name) else { return }
    let world = try ProofWorld(folder: "\(work)/topics-\(seed)", seed: seed)
    let model = try world.student(
      "gkd-\(loss)-\(share)", objective: Self.losses[loss] ?? "", source: "{mixed: {student: \(share)}}")
    try add(name, world.distance(of: model), ledger)
  }

  private func measureTeacher(_ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let name = "gkd teacher seed \(seed)"
    guard try !ledger.has(name) else { return }
    let world = try ProofWorld(folder: "\(work)/topics-\(seed)", seed: seed)
    try add(name, world.distance(of: world.teacher), ledger)
  }

  private func measureWritten(_ loss: String, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let name = "gkd \(loss) share 0, the teacher's texts, seed \(seed)"
    guard try !ledger.has(name) else { return }
    let world = try ProofWorld(folder: "\(work)/topics-\(seed)", seed: seed)
    let model = try world.student(
      "gkd-\(loss)-written", objective: Self.losses[loss] ?? "", source: "fixed", data: world.written())
    try add(name, world.distance(of: model), ledger)
  }

  private func add(_ name: String, _ distance: (forward: Double, onPolicy: Double), _ ledger: Ledger) throws {
    let (forward, own) = (Readable.decimals(distance.forward, 4), Readable.decimals(distance.onPolicy, 4))
    try ledger.add(name, "\(forward) \(own)")
  }

  /// The means over seeds of reverse KL on own texts.
  private func judge(_ loss: String, _ ledger: Ledger) throws {
    func mean(_ run: (UInt64) -> String) throws -> Double {
      try Self.seeds.compactMap { try ledger.numbers(run($0))?[1] }.reduce(0, +) / Double(Self.seeds.count)
    }
    let means = try Self.shares.map { share in try mean { "gkd \(loss) share \(share) seed \($0)" } }
    let written = try mean { "gkd \(loss) share 0, the teacher's texts, seed \($0)" }
    let ratio = means[1] / means[0]
    try ledger.judge(
      "gkd \(loss)", isMet: ratio <= 0.7,
      "reverse KL to the truth on own texts: share 0 \(Readable.decimals(means[0], 3)), .5 "
        + "\(Readable.decimals(means[1], 3)), 1 \(Readable.decimals(means[2], 3)); .5 is \(Readable.decimals(ratio, 2)) of 0 "
        + "(at most .70); with the teacher's texts \(Readable.decimals(written, 3))")
  }
}
