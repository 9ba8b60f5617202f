import Configuration
import Distillation
import Files
import Fixtures
import JSON
import LogitCache
import Models
import Samples
import Sequences
import Teachers
import TestSupport
import Testing
import Tokenizers
import Training

/// KDIGA over a data set: slopes beside a live teacher, and twins from a cache.
@Suite("Slopes and twins over a data set") struct TwinRunTests {
  private let world: TinyWorld
  private var cache: String { world.folder.file("cache") }

  init() throws { world = try TinyWorld(rows: 12) }

  private func precompute(_ twins: Int?, rate: Double = 0.15) throws -> Precompute.Outcome {
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: cache)
    stage.topK = 8
    stage.twins = twins.map { TwinConfiguration(perSample: $0) }
    stage.twins?.rate = rate
    return try stage.run()
  }

  private func run(
    _ keys: String, as name: String, teacher: String, student: String? = nil, extra: String = "", resume: Bool = false
  ) throws -> String {
    let run = world.folder.file(name)
    let settings = try ConfigurationFile(
      text: """
        student: \(student ?? "{from: \(world.student)}")
        teacher: \(teacher)
        data: {train: \(world.train)}
        objective: {name: \(keys)}
        training: {steps: 6, batch_size: 4, log_every: 1, micro_batch_tokens: 64}
        checkpoints: {every: 3}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: run, resume: resume)
    return run
  }

  private var live: String { "{model: \(world.teacher), live: true}" }
  private let layer = "{layers: [0]}"
  private let weights = "checkpoints/last/model.safetensors"

  @Test(
    "a student of the teacher's layers aligns its slopes, goes on to the same bytes, and without weight is plain distillation"
  )
  func slopes() throws {
    let aligned = try run("kdiga, gradient_weight: 0.5", as: "aligned", teacher: live, student: layer)
    let distances = try MetricsReader.values(of: "gradient_distance", in: "\(aligned)/metrics.jsonl")
    #expect(distances.count == 6 && distances.allSatisfy { $0 > 0 && $0.isFinite })
    let whole = try File.read("\(aligned)/\(weights)")
    try File.remove(RunFolder(aligned).checkpoint(step: 6))
    _ = try run("kdiga, gradient_weight: 0.5", as: "aligned", teacher: live, student: layer, resume: true)
    #expect(try File.read("\(aligned)/\(weights)") == whole)
    let off = try run("kdiga, gradient_weight: 0", as: "off", teacher: live, student: layer)
    let plain = try run("fkl", as: "plain", teacher: live, student: layer)
    #expect(try File.read("\(off)/\(weights)") == File.read("\(plain)/\(weights)"))
    #expect(try File.read("\(off)/\(weights)") != whole)
  }

  @Test("twins are scored where their samples are, with some tokens replaced, and a cache keeps them") func twins()
    throws
  {
    #expect(try precompute(2).computed == 36)
    #expect(try precompute(2).computed == 0)
    let cached = try run("kdiga, gradient_weight: 0, twin_weight: 1", as: "cached", teacher: "{cache: \(cache)}")
    let losses = try MetricsReader.values(of: "twins", in: "\(cached)/metrics.jsonl")
    #expect(losses.count == 6 && losses.allSatisfy { $0 > 0 && $0.isFinite })
    let whole = try File.read("\(cached)/\(weights)")
    try File.remove(RunFolder(cached).checkpoint(step: 6))
    _ = try run("kdiga, gradient_weight: 0, twin_weight: 1", as: "cached", teacher: "{cache: \(cache)}", resume: true)
    #expect(try File.read("\(cached)/\(weights)") == whole)
    // New ones at each step, from whoever is asked then.
    let asked = try run("kdiga, gradient_weight: 0, twin_weight: 1", as: "asked", teacher: live)
    #expect(try MetricsReader.values(of: "twins", in: "\(asked)/metrics.jsonl").allSatisfy { $0 > 0 })
    let manifest = try CacheManifest(directory: cache)
    let plan = try TwinPlan(record: JSONField(.object(#require(manifest.twins)), file: "manifest.json"))
    #expect(plan.rate == 0.15 && plan.pool == FormPool(perSample: 2, seed: 1))
    let kept = try LogitCache(directory: cache), samples = try samples()
    var replaced = 0, tokens = 0
    for number in 0..<samples.count {
      let original = try samples.asked(number).sequence()
      #expect(try kept.contains(manifest.key(original)))
      for which in 0..<2 {
        let twin = try plan.twin(of: number, in: samples, number: which).sequence()
        #expect(twin.scoredPositions == original.scoredPositions && twin.tokenIDs[0] == original.tokenIDs[0])
        #expect(try kept.contains(manifest.key(twin)))
        replaced += zip(twin.tokenIDs, original.tokenIDs).count { $0 != $1 }
        tokens += twin.count
      }
    }
    // Some are replaced by themselves.
    #expect((0.06...0.2).contains(Double(replaced) / Double(tokens)), "\(replaced) of \(tokens)")
  }

  /// The world's rows as the runs see them.
  private func samples() throws -> IndexedSamples {
    let folder = try IndexFolder(.temporary, named: "rows")
    let builder = try SampleBuilder(
      tokenizer: Tokenizer(directory: world.student), template: .plain, eosTokenID: 0, maximumLength: 96)
    let index = try SampleIndex(Dataset(DataFiles(world.train)), builder, folder: folder.path, threads: 1)
    return IndexedSamples(index: index, account: index.account, folder: folder)
  }

  @Test("what cannot be compared, or is not there, is refused by name") func refused() throws {
    _ = try precompute(nil)
    expectDiagnostic(field: "objective.gradient_weight", saying: "32 columns", "of 16") {
      _ = try run("kdiga", as: "width", teacher: live)
    }
    expectDiagnostic(field: "objective.gradient_weight", saying: "whole distributions") {
      _ = try run("kdiga", as: "cached", teacher: "{cache: \(cache)}")
    }
    expectDiagnostic(field: "precision", saying: "bf16 rounds away") {
      _ = try run("kdiga", as: "rounded", teacher: live, student: layer, extra: "precision: bf16")
    }
    expectDiagnostic(field: "teacher", saying: "holds nothing", "`twins`") {
      _ = try run("kdiga, gradient_weight: 0, twin_weight: 1", as: "none", teacher: "{cache: \(cache)}")
    }
    _ = try precompute(1)
    expectDiagnostic(field: "objective.twin_rate", saying: "is 0.3", "with 0.15") {
      _ = try run(
        "kdiga, gradient_weight: 0, twin_weight: 1, twin_rate: 0.3", as: "rate", teacher: "{cache: \(cache)}")
    }
    expectDiagnostic(field: "twins", saying: "made from something else") { _ = try precompute(1, rate: 0.5) }
    expectDiagnostic(field: "objective.epsilon") { _ = try run("kdiga, epsilon: 0", as: "zero", teacher: live) }
    expectDiagnostic(field: "objective.twin_rate") { _ = try run("kdiga, twin_rate: 1", as: "one", teacher: live) }
  }
}
