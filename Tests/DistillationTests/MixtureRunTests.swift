import Configuration
import Distillation
import Files
import Fixtures
import Glibc
import JSON
import LogitCache
import RandomStreams
import Samples
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

/// Mixtures of a data set's samples: beside a live teacher, and as a pool in a cache.
@Suite("Mixtures over a data set") struct MixtureRunTests {
  private let world: TinyWorld
  private var cache: String { world.folder.file("cache") }

  init() throws { world = try TinyWorld(rows: 12) }

  private func precompute(_ mixtures: Int?, beta: Double = 0.4, seed: UInt64 = 3) throws -> Precompute.Outcome {
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: cache)
    stage.topK = 300
    stage.mixtures = mixtures.map { MixtureConfiguration(perSample: $0) }
    stage.mixtures?.beta = beta
    stage.mixtures?.seed = seed
    return try stage.run()
  }

  private func run(
    _ keys: String, as name: String, teacher: String, source: String = "fixed", resume: Bool = false
  ) throws -> String {
    let run = world.folder.file(name)
    let settings = try ConfigurationFile(
      text: """
        student: {from: \(world.student)}
        teacher: \(teacher)
        data: {train: \(world.train)}
        source: \(source)
        objective: {name: mixkd\(keys)}
        training: {steps: 6, batch_size: 4, log_every: 1, micro_batch_tokens: 64}
        checkpoints: {every: 3}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: run, resume: resume)
    return run
  }

  private func mixed(_ run: String) throws -> [Double] {
    try MetricsReader.values(of: "mixed", in: "\(run)/metrics.jsonl")
  }

  @Test("a pool is what a live teacher says of the same mixtures, is kept once, and is gone on with") func pool() throws
  {
    let first = try precompute(2)
    #expect(first.computed == 36 && first.forms == 24)
    let again = try precompute(2)
    #expect(again.computed == 0)
    let pool = try LogitCache(directory: cache)
    #expect(try pool.count == 36)
    var shares: [Float] = []
    try pool.forEachSample(in: .keys) { _, sample in
      if case .mixture(_, _, let share) = sample.input { shares.append(share) }
    }
    #expect(shares.count == 24 && Set(shares).count > 20)
    // All ids are kept, so that the student is told the same as by the teacher itself.
    let cached = try run("", as: "cached", teacher: "{cache: \(cache)}")
    let losses = try mixed(cached)
    #expect(losses.count == 6 && losses.allSatisfy { $0 > 0 && $0.isFinite })
    let plain = try run(", mix_weight: 0", as: "plain", teacher: "{cache: \(cache)}")
    #expect(try mixed(plain) == [])
    let weights = "checkpoints/last/model.safetensors"
    #expect(try File.read("\(cached)/\(weights)") != File.read("\(plain)/\(weights)"))
    // Cut off and gone on with.
    try File.remove(RunFolder(cached).checkpoint(step: 6))
    let whole = try File.read("\(cached)/metrics.jsonl")
    _ = try run("", as: "cached", teacher: "{cache: \(cache)}", resume: true)
    #expect(try File.read("\(cached)/metrics.jsonl") == whole)
  }

  @Test("with weight 0 it is plain distillation, bit for bit") func off() throws {
    _ = try precompute(nil)
    let mixed = try run(", mix_weight: 0", as: "off", teacher: "{cache: \(cache)}")
    let settings = try ConfigurationFile(
      text: """
        student: {from: \(world.student)}
        teacher: {cache: \(cache)}
        data: {train: \(world.train)}
        objective: {name: fkl}
        training: {steps: 6, batch_size: 4, log_every: 1, micro_batch_tokens: 64}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    let plain = world.folder.file("fkl")
    _ = try Trainer.train(settings, output: plain, resume: false)
    let weights = "checkpoints/last/model.safetensors"
    #expect(try File.read("\(mixed)/\(weights)") == File.read("\(plain)/\(weights)"))
  }

  @Test("the same mixture says the same from the pool as from the teacher beside the student") func sameSignal() throws
  {
    _ = try precompute(3)
    let manifest = try CacheManifest(directory: cache)
    let plan = try MixturePlan(record: JSONField(.object(#require(manifest.mixtures)), file: "manifest.json"))
    #expect(plan == MixturePlan(beta: 0.4, pool: FormPool(perSample: 3, seed: 3)))
    let (other, share) = plan.mixture(of: 5, among: 12, number: 1)
    #expect(other != 5 && (0..<12).contains(other) && share >= 0 && share <= 1)
    // Live runs draw new ones at each step, and go on alike.
    let live = try run("", as: "live", teacher: "{model: \(world.teacher), live: true}")
    #expect(try mixed(live).count == 6)
    let whole = try File.read("\(live)/checkpoints/last/model.safetensors")
    try File.remove(RunFolder(live).checkpoint(step: 6))
    _ = try run("", as: "live", teacher: "{model: \(world.teacher), live: true}", resume: true)
    #expect(try File.read("\(live)/checkpoints/last/model.safetensors") == whole)
  }

  @Test("a cache without mixtures, another pool, and what the student writes are refused by name") func refused() throws
  {
    _ = try precompute(nil)
    expectDiagnostic(field: "teacher", saying: "holds nothing", "`mixtures`") {
      _ = try run("", as: "none", teacher: "{cache: \(cache)}")
    }
    #expect(try precompute(2).computed == 24)
    expectDiagnostic(field: "mixtures", saying: "made from something else", "0.9") { _ = try precompute(2, beta: 0.9) }
    expectDiagnostic(field: "mixtures", saying: "\"3\"", "\"4\"") { _ = try precompute(2, seed: 4) }
    expectDiagnostic(field: "objective.beta", saying: "is 0.7", "with 0.4") {
      _ = try run(", beta: 0.7", as: "other", teacher: "{cache: \(cache)}")
    }
    expectDiagnostic(field: "source", saying: "other forms of the rows") {
      _ = try run("", as: "own", teacher: "{model: \(world.teacher), cache: \(cache)}", source: "on-policy")
    }
    expectDiagnostic(field: "objective.divergence", saying: "huber") {
      _ = try run(", divergence: huber", as: "huber", teacher: "{cache: \(cache)}")
    }
    expectDiagnostic(field: "objective.beta") { _ = try run(", beta: 0", as: "zero", teacher: "{cache: \(cache)}") }
    expectDiagnostic(field: "teacher", saying: "a server says nothing") {
      _ = try run("", as: "served", teacher: "{url: \"http://127.0.0.1:9\", tokenizer: \(world.teacher)}")
    }
  }

  @Test("shares are of Beta(a, a), whatever a is", arguments: [0.1, 0.4, 1, 3])
  func shares(a: Double) {
    var stream = RandomStream(seed: 5, name: "shares")
    let draws = (0..<20_000).map { _ in stream.beta(a) }
    let mean = draws.reduce(0, +) / 20_000, variance = draws.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
    let expected = 1 / (4 * (2 * a + 1))
    #expect(abs(mean - 0.5) < 5 * (expected / 20_000).squareRoot())
    expectClose(variance, expected, relative: 0.05)
    #expect(draws.allSatisfy { $0 >= 0 && $0 <= 1 })
  }
}
