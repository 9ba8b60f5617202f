import Configuration
import Distillation
import Files
import Fixtures
import Glibc
import JSON
import LogitCache
import Samples
import Sequences
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

/// The classes of pre-training with the teacher's predictions, by what the teacher says of a data set.
@Suite("The teacher's confidence over a data set") struct TeacherConfidenceTests {
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

  private func run(
    _ keys: String, as name: String, teacher: String? = nil, more: String = ""
  ) throws -> RunFolder {
    let run = RunFolder(world.folder.file(name))
    let settings = try ConfigurationFile(
      text: """
        student: {from: \(world.student)}
        teacher: \(teacher ?? "{cache: \(cache)}")
        data: {train: \(world.train)}
        objective: {name: ptp\(keys)}
        training: {steps: 6, batch_size: 4, log_every: 1, learning_rate: 1.0e-2}
        \(more)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: run.path, resume: false)
    return run
  }

  private func bounds(_ run: RunFolder) throws -> (right: Double?, wrong: Double?) {
    let path = "\(run.last)/trainer_state.json"
    let numbers = try JSONValue.parse(File.read(path), file: path)["method"]?["numbers"]
    return (numbers?["sure_right"]?.doubleValue, numbers?["sure_wrong"]?.doubleValue)
  }

  /// Medians over the rows, by the cache.
  private func medians() throws -> (right: Double?, wrong: Double?) {
    var right: [Float] = [], wrong: [Float] = []
    try LogitCache(directory: cache).forEachSample(in: .keys) { _, sample in
      for (position, token) in sample.trainedSequence.targets.enumerated() {
        let first = sample.signal.entries(at: position).lowerBound
        if sample.signal.ids[first] == token {
          right.append(sample.signal.logProbs[first])
        } else {
          wrong.append(sample.signal.logProbs[first])
        }
      }
    }
    func median(_ values: [Float]) -> Double? {
      values.isEmpty ? nil : exp(Double(values.sorted()[(values.count - 1) / 2]))
    }
    return (median(right), median(wrong))
  }

  @Test(
    "bounds are the medians of right and wrong positions, from a cache as from a live teacher, or those that are given")
  func medianBounds() throws {
    let expected = try medians(), cached = try bounds(run("", as: "cached"))
    #expect(cached.right == expected.right && cached.wrong == expected.wrong && cached.wrong != nil)
    let live = try bounds(run("", as: "live", teacher: "{model: \(world.teacher), live: true}"))
    // What the cache keeps of a log-prob is rounded.
    expectClose(try #require(live.wrong), try #require(expected.wrong), relative: 0.03)
    let half = try bounds(run(", sure_wrong: 0.25", as: "half"))
    #expect(half.right == expected.right && half.wrong == 0.25)
    let given = try bounds(run(", sure_right: 0.75, sure_wrong: 0.5", as: "given"))
    #expect(given.right == 0.75 && given.wrong == 0.5)
  }

  @Test(
    "the classifier learns, its weights stand beside the student's in a checkpoint, and the student's head does not learn"
  )
  func learns() throws {
    let run = try run("", as: "run")
    let losses = try MetricsReader.values(of: "class_error", in: "\(run.path)/metrics.jsonl")
    #expect(losses.count == 6 && losses[5] < losses[0])
    for name in ["ptp_classifier.safetensors", "ptp_classifier.optimizer.safetensors"] {
      #expect(File.exists("\(run.last)/\(name)"), "\(name)")
    }
    // Of every row all positions but the last one have a class.
    let shares = try MetricsReader.values(of: "classified", in: "\(run.path)/metrics.jsonl")
    let scored = try MetricsReader.values(of: "scored_positions", in: "\(run.path)/metrics.jsonl")
    for (share, count) in zip(shares, scored) { expectClose(share, (count - 4) / count, absolute: 1e-9) }
  }

  @Test(
    "numbers out of bounds are refused by name",
    arguments: [(", sure_right: 1.5", "sure_right"), (", sure_wrong: -1", "sure_wrong"), (", alpha: 1", "alpha")])
  func refused(keys: String, field: String) {
    expectDiagnostic(file: "test.yaml", line: 4, field: "objective.\(field)") { _ = try run(keys, as: "refused") }
  }

  @Test("without anything that the teacher says of the rows, the bounds have to be given") func unsaid() throws {
    let source = "source: on-policy\nreplay: {max_new_tokens: 4}"
    expectDiagnostic(field: "objective.sure_right", saying: "of which it says nothing") {
      _ = try run("", as: "unsaid", teacher: "{model: \(world.teacher)}", more: source)
    }
    _ = try run(", sure_right: 0.5, sure_wrong: 0.5", as: "said", teacher: "{model: \(world.teacher)}", more: source)
  }
}
