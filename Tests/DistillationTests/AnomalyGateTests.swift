import Configuration
import Distillation
import Files
import Fixtures
import JSON
import LogitCache
import Samples
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

/// Positions that lose the divergence because the teacher lies far from a clean model there.
@Suite("The gate on anomalous positions") struct AnomalyGateTests {
  private let world: TinyWorld
  private let cache: String

  init() throws {
    world = try TinyWorld(rows: 24)
    cache = world.folder.file("cache")
    var stage = Precompute(teacher: .model(world.teacher), data: DataFiles(world.train), cache: cache)
    stage.topK = 8
    // A model with the teacher's tokenizer that says something else.
    stage.columns.anomaly = world.student
    _ = try stage.run()
  }

  private func run(_ objective: String, as name: String, teacher: String? = nil, extra: String = "") throws -> String {
    let run = world.folder.file(name)
    let settings = try ConfigurationFile(
      text: """
        student: {from: \(world.student)}
        teacher: \(teacher ?? "{cache: \(cache)}")
        data: {train: \(world.train)}
        objective: \(objective)
        training: {steps: 6, batch_size: 4, log_every: 1}
        checkpoints: {every: 3}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: run, resume: File.exists(run))
    return run
  }

  private func weights(_ run: String) throws -> [UInt8] { try File.read("\(run)/checkpoints/last/model.safetensors") }

  private func bound(_ run: String) throws -> Double? {
    let path = "\(RunFolder(run).last)/trainer_state.json"
    return try JSONValue.parse(File.read(path), file: path)["method"]?["numbers"]?["gate_above"]?.doubleValue
  }

  @Test(
    "left out are as many positions as the share says, those with the largest anomalies; a run that goes on keeps the bound"
  )
  func quantile() throws {
    var anomalies: [Float] = []
    try LogitCache(directory: cache).forEachSample(in: .keys) { _, sample in
      anomalies += try #require(sample.columns.first { $0.name == "anomaly" }).values
    }
    anomalies.sort(by: >)
    #expect(anomalies.last ?? 0 > 0)
    for share in [0.1, 0.25] {
      let run = try run("{name: skl, gate: {share: \(share)}}", as: "share-\(share)")
      let count = Int((share * Double(anomalies.count)).rounded())
      #expect(try bound(run) == Double(anomalies[count]))
      // A pass over the rows.
      let gated = try MetricsReader.values(of: "gated", in: "\(run)/metrics.jsonl")
      let scored = try MetricsReader.values(of: "scored_positions", in: "\(run)/metrics.jsonl")
      expectClose(zip(gated, scored).reduce(0) { $0 + $1.0 * $1.1 }, Double(count), absolute: 1e-6)
      // Cut off, it goes on to the same bytes.
      let whole = try (weights(run), File.read("\(run)/metrics.jsonl"))
      try File.remove(RunFolder(run).checkpoint(step: 6))
      _ = try self.run("{name: skl, gate: {share: \(share)}}", as: "share-\(share)")
      #expect(try weights(run) == whole.0 && File.read("\(run)/metrics.jsonl") == whole.1)
    }
  }

  @Test(
    "a share of nothing is the divergence, a bound below all is the cross-entropy, one above all the divergence, to the byte"
  )
  func ends() throws {
    let plain = try weights(run("{name: fkl, cross_entropy_weight: 0.5}", as: "plain"))
    let open = try run(
      "{name: fkl, cross_entropy_weight: 0.5, gate: {share: 0}}", as: "open",
      teacher: "{model: \(world.teacher), cache: \(cache)}")
    #expect(try weights(open) == plain && bound(open) == nil)
    #expect(try weights(run("{name: fkl, cross_entropy_weight: 0.5, gate: {above: 1000000}}", as: "high")) == plain)
    let shut = try run("{name: fkl, cross_entropy_weight: 0.5, gate: {above: 0}}", as: "shut")
    #expect(try weights(shut) == weights(run("{name: sft, cross_entropy_weight: 0.5}", as: "sft")))
    #expect(try MetricsReader.values(of: "divergence", in: "\(shut)/metrics.jsonl").allSatisfy { $0 == 0 })
  }

  @Test(
    "numbers out of bounds are refused by name",
    arguments: [
      ("{share: 0.02, above: 1}", "share"), ("{}", "share"), ("{share: 0.6}", "share"), ("{above: -1}", "above"),
      ("{least: 1}", "least"),
    ])
  func refused(gate: String, key: String) {
    expectDiagnostic(file: "test.yaml", line: 4, field: "objective.gate.\(key)") {
      _ = try run("{name: fkl, gate: \(gate)}", as: "refused")
    }
  }

  @Test("a cache without anomalies, a live teacher and the student's own texts are refused, with what would do")
  func unread() throws {
    let objective = "{name: fkl, gate: {share: 0.02}}", plain = world.folder.file("plain")
    var stage = Precompute(teacher: .model(world.teacher), data: DataFiles(world.train), cache: plain)
    stage.topK = 8
    _ = try stage.run()
    expectDiagnostic(field: "teacher.cache", saying: "column anomaly", plain, "columns: {anomaly: DIR}") {
      _ = try run(objective, as: "a", teacher: "{cache: \(plain)}")
    }
    expectDiagnostic(field: "teacher.live", saying: "column anomaly", "columns: {anomaly: DIR}") {
      _ = try run(objective, as: "b", teacher: "{model: \(world.teacher), live: true}")
    }
    expectDiagnostic(field: "teacher.cache", saying: "column anomaly") {
      _ = try run(objective, as: "c", teacher: "{model: \(world.teacher), cache: \(world.folder.file("none"))}")
    }
    expectDiagnostic(field: "source", saying: "what the student writes") {
      _ = try run(
        objective, as: "d", teacher: "{model: \(world.teacher), cache: \(cache)}", extra: "source: on-policy")
    }
  }
}
