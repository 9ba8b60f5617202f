import Configuration
import Distillation
import Files
import Fixtures
import Glibc
import JSON
import LogitCache
import Samples
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

/// ATKD's split of the data's positions into easy and hard ones.
@Suite("ATKD over a data set") struct AdaptiveTeachingTests {
  private let world: TinyWorld
  private let cache: String

  init() throws {
    world = try TinyWorld(rows: 24)
    cache = world.folder.file("cache")
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: cache)
    stage.topK = 8
    _ = try stage.run()
  }

  /// A pass over the rows.
  private func run(_ keys: String, as name: String, teacher: String? = nil) throws -> String {
    let run = world.folder.file(name)
    let settings = try ConfigurationFile(
      text: """
        student: {from: \(world.student)}
        teacher: \(teacher ?? "{cache: \(cache)}")
        data: {train: \(world.train)}
        objective: {name: atkd\(keys)}
        training: {steps: 6, batch_size: 4, log_every: 1}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: run, resume: false)
    return run
  }

  private func bound(_ run: String) throws -> Double {
    let path = "\(RunFolder(run).last)/trainer_state.json"
    return try #require(
      JSONValue.parse(File.read(path), file: path)["method"]?["numbers"]?["hard_from"]?.doubleValue)
  }

  /// The share of a run's positions that were hard.
  private func share(_ run: String) throws -> Double {
    let path = "\(run)/metrics.jsonl"
    let (hard, count) = (
      try MetricsReader.values(of: "hard", in: path), try MetricsReader.values(of: "scored_positions", in: path)
    )
    #expect(hard.count == 6)
    return zip(hard, count).reduce(0) { $0 + $1.0 * $1.1 } / count.reduce(0, +)
  }

  @Test("hard are as many positions as the configuration says, those whose token the teacher finds the least probable")
  func quantile() throws {
    var uncertain: [Double] = []
    try LogitCache(directory: cache).forEachSample(in: .keys) { _, sample in
      uncertain += sample.signal.targetLogProb.map { -expm1(Double($0)) }
    }
    uncertain.sort(by: >)
    for hard in [0.5, 0.25, 0.9] {
      let run = try run(", hard: \(hard)", as: "share-\(hard)")
      let found = try bound(run)
      #expect(found == uncertain[Int((hard * Double(uncertain.count)).rounded(.up)) - 1])
      #expect(try abs(share(run) - hard) < 1.5 / Double(uncertain.count))
    }
    // A bound that is given is taken as it is, with a live teacher as from a cache.
    let live = try run(", hard_from: 0.3", as: "live", teacher: "{model: \(world.teacher), live: true}")
    #expect(try bound(live) == 0.3)
    let data = try run("", as: "live-data", teacher: "{model: \(world.teacher), live: true}")
    #expect(try abs(bound(data) - uncertain[(uncertain.count + 1) / 2 - 1]) < 1e-4)
  }

  @Test(
    "numbers out of bounds are refused by name",
    arguments: [
      (", hard: 0", "hard"), (", hard: 1", "hard"), (", lambda: 1.5", "lambda"), (", hard_from: -1", "hard_from"),
      (", beta: 1", "beta"),
    ])
  func refused(keys: String, field: String) {
    expectDiagnostic(file: "test.yaml", line: 4, field: "objective.\(field)") { _ = try run(keys, as: "refused") }
  }

  @Test("without anything that the teacher says of the rows, the bound has to be given") func unsaid() {
    expectDiagnostic(field: "objective.hard_from", saying: "of which it says nothing") {
      let settings = try ConfigurationFile(
        text: """
          student: {from: \(world.student)}
          teacher: {model: \(world.teacher)}
          data: {train: \(world.train)}
          objective: {name: atkd}
          source: on-policy
          replay: {max_new_tokens: 4}
          training: {steps: 2, batch_size: 4}
          """, path: "test.yaml"
      ).decode(TrainingConfiguration.self)
      _ = try Trainer.train(settings, output: world.folder.file("unsaid"), resume: false)
    }
  }
}
