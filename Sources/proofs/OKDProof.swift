import Distillation
import Glibc
import Samples
import TeacherSignal
import Teachers
import Telemetry

/// OKD (arXiv 2409.12512): a teacher of which a small module learns beside the student is easier to reach for a loss that seeks the
/// teacher's modes. 400 texts, reverse KL and forward KL, each against the teacher as it is and against one with a module on its last
/// hidden states, five seeds, each pair from one start and one order of batches.
///
/// Claim: with reverse KL the student's KL from the truth is at least 5 % lower with the module, on average over paired seeds.
/// Beside it forward KL, and how far the teacher drifts.
struct OKDProof: Proof {
  private static let seeds: [UInt64] = [1, 2, 3, 4, 5]
  private static let losses = ["rkl", "fkl"]

  func run(_ ledger: Ledger, work: String) throws {
    for seed in Self.seeds {
      for loss in Self.losses {
        try measure("\(loss) static", "{name: \(loss)}", seed, ledger, work)
        try measure("\(loss) module", "{name: okd, divergence: \(loss), rank: 4}", seed, ledger, work)
      }
    }
    try judge(ledger)
  }

  private func name(_ run: String, _ seed: UInt64) -> String { "okd \(run) seed \(seed)" }

  /// KL(truth || student), KL(student || truth) on its own texts, and the drift at the end.
  private func measure(_ run: String, _ objective: String, _ seed: UInt64, _ ledger: Ledger, _ work: String) throws {
    let name = name(run, seed)
    guard try !ledger.has(name) else { return }
    let world = try ProofWorld(folder: "\(work)/okd-\(seed)", seed: seed, few: 400, width: 24)
    let cache = "\(world.folder)/cache-hidden"
    var stage = Precompute(teacher: .model(world.teacher), data: DataFiles(world.rows), cache: cache)
    stage.topK = TopicLanguage.words
    stage.columns.hidden = .bfloat16
    _ = try stage.run()
    let model = try world.student(
      run.replacing(" ", with: "-"), objective: objective, source: "fixed", cache: cache, columns: true)
    let distance = try world.distance(of: model)
    let drift = try ProofWorld.last("drift", of: model) ?? 0
    try ledger.add(
      name, [distance.forward, distance.onPolicy, drift].map { Readable.decimals($0, 4) }.joined(separator: " "))
  }

  private func judge(_ ledger: Ledger) throws {
    func pairs(_ loss: String) throws -> [(static: [Double], module: [Double])] {
      try Self.seeds.compactMap { seed in
        guard let still = try ledger.numbers(name("\(loss) static", seed)),
          let moved = try ledger.numbers(name("\(loss) module", seed))
        else { return nil }
        return (still, moved)
      }
    }
    func shown(_ loss: String) throws -> (text: String, ratio: Double) {
      let pairs = try pairs(loss), count = Double(pairs.count)
      let still = pairs.reduce(0) { $0 + $1.static[0] } / count, moved = pairs.reduce(0) { $0 + $1.module[0] } / count
      let differences = pairs.map { $0.module[0] - $0.static[0] }, mean = moved - still
      let deviation = (differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)).squareRoot()
      let drift = pairs.map { $0.module[2] }.max() ?? 0
      let text =
        "\(loss) static \(Readable.decimals(still, 3)), module \(Readable.decimals(moved, 3)), paired difference "
        + "\(Readable.decimals(mean, 3)) ± \(Readable.decimals(deviation, 3)), drift at most \(Readable.decimals(drift, 2))"
      return (text, moved / still)
    }
    let reverse = try shown("rkl"), forward = try shown("fkl")
    try ledger.judge(
      "okd", isMet: reverse.ratio <= 0.95,
      "KL from the truth, five paired seeds: \(reverse.text) (at most .95 of static; \(Readable.decimals(reverse.ratio, 2))); "
        + forward.text)
  }
}
