import Configuration
import Diagnostics
import Distillation
import Divergences
import Files
import Fixtures
import Replay
import Samples
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

/// Runs in a world of tiny models: what a run must guarantee whatever it learns.
@Suite("Training") struct TrainingTests {
  private let world: TinyWorld
  private let cache: String

  init() throws {
    world = try TinyWorld(rows: 48)
    cache = world.folder.file("cache")
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: cache)
    stage.topK = 16
    _ = try stage.run()
  }

  /// A run's configuration; `extra` holds more sections, `training` more keys of that one.
  private func configuration(
    objective: String = "{name: fkl}", training: String = "", extra: String = "", teacher: String? = nil
  ) throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        teacher: \(teacher ?? "{model: \(world.teacher), cache: \(cache)}")
        data: {train: \(world.train), validation: \(world.validation)}
        objective: \(objective)
        training: {steps: 12, batch_size: 6, learning_rate: 3.0e-3, log_every: 1\(training)}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  private func weights(_ run: String) throws -> [UInt8] { try File.read("\(run)/checkpoints/last/model.safetensors") }

  @Test(
    "every objective brings the student closer to the teacher",
    arguments: Divergence.names)
  func learns(objective: String) throws {
    let run = world.folder.file(objective)
    _ = try Trainer.train(
      try configuration(objective: "{name: \(objective)}", training: ", schedule: constant").lengthened(to: 40),
      output: run, resume: false)
    let losses = try Self.metrics(run, "divergence")
    let first: Double = losses.prefix(5).reduce(0, +)
    let last: Double = losses.suffix(5).reduce(0, +)
    #expect(last < 0.97 * first, "\(losses)")
  }

  @Test("an interrupted run goes on to the same bytes, replay and dropout included") func resumes() throws {
    let settings = try configuration(
      objective: "{name: srkl}", training: ", dropout: 0.1",
      extra:
        "checkpoints: {every: 5}\nvalidation: {every: 4}\nreplay: {initial_phi: 0.6, max_new_tokens: 8, capacity: 20}")
    let whole = world.folder.file("whole"), cut = world.folder.file("cut")
    let outcome = try Trainer.train(settings, output: whole, resume: false)
    #expect((outcome.sources[.replay] ?? 0) > 0 && (outcome.sources[.fresh] ?? 0) > 0, "\(outcome.sources)")
    // The cut run loses everything after its checkpoint at step 5, as a killed one would.
    _ = try Trainer.train(settings, output: cut, resume: false)
    for step in try RunFolder(cut).checkpointSteps() where step != 5 {
      try File.remove(RunFolder(cut).checkpoint(step: step))
    }
    _ = try Trainer.train(settings, output: cut, resume: true)
    #expect(try weights(cut) == weights(whole))
    #expect(try File.read("\(cut)/metrics.jsonl") == File.read("\(whole)/metrics.jsonl"))
  }

  @Test("versions that nothing can be drawn from may go: the bytes are the same, resumed from a kept checkpoint too")
  func prunesReplay() throws {
    func settings(_ keep: String) throws -> TrainingConfiguration {
      try configuration(
        objective: "{name: srkl}",
        extra: "checkpoints: {every: 3, keep: 2}\nreplay: {initial_phi: 0.9, max_new_tokens: 6, capacity: 4\(keep)}"
      ).lengthened(to: 24)
    }
    func versions(_ run: String) throws -> [Int] {
      try ReplayStore(directory: "\(run)/replay").versions().map(\.number)
    }
    let all = world.folder.file("all"), pruned = world.folder.file("pruned")
    _ = try Trainer.train(try settings(""), output: all, resume: false)
    _ = try Trainer.train(try settings(", keep: 1"), output: pruned, resume: false)
    #expect(try weights(pruned) == weights(all))
    #expect(try versions(pruned).last == versions(all).last && versions(pruned).count < versions(all).count - 2)
    let steps = try RunFolder(pruned).checkpointSteps()
    try File.remove(RunFolder(pruned).checkpoint(step: steps[steps.count - 1]))
    _ = try Trainer.train(try settings(", keep: 1"), output: pruned, resume: true)
    #expect(try weights(pruned) == weights(all))
  }

  @Test("validations, logs and checkpoints in between change nothing of what is learnt, fresh texts included")
  func observed() throws {
    for (name, extra) in [
      ("quiet", "source: {mixed: {student: 0.5}}\nreplay: {max_new_tokens: 6}"),
      (
        "watched",
        "validation: {every: 2}\ncheckpoints: {every: 3}\nsource: {mixed: {student: 0.5}}\nreplay: {max_new_tokens: 6}"
      ),
    ] {
      _ = try Trainer.train(
        try configuration(objective: "{name: skl}", training: ", dropout: 0.1", extra: extra),
        output: world.folder.file(name), resume: false)
    }
    #expect(try weights(world.folder.file("watched")) == weights(world.folder.file("quiet")))
  }

  @Test("a gradient clip of 0 does not clip") func clipsNothing() throws {
    for (name, clip) in [("none", "0"), ("far", "1.0e9"), ("near", "1.0e-3")] {
      _ = try Trainer.train(
        try configuration(training: ", gradient_clip: \(clip)"), output: world.folder.file(name), resume: false)
    }
    #expect(try weights(world.folder.file("none")) == weights(world.folder.file("far")))
    #expect(try weights(world.folder.file("none")) != weights(world.folder.file("near")))
  }

  @Test("micro-batches of a batch add up to the whole batch's gradient") func accumulation() throws {
    var norms: [[Double]] = []
    for tokens in [8192, 40] {
      let run = world.folder.file("micro-batches-\(tokens)")
      _ = try Trainer.train(
        try configuration(objective: "{name: skl}", training: ", micro_batch_tokens: \(tokens)"), output: run,
        resume: false)
      norms.append(try Self.metrics(run, "gradient_norm"))
    }
    expectClose(norms[1], norms[0], absolute: 1e-6, relative: 2e-3)
  }

  @Test("a live teacher and an exact cache of all entries give the same losses") func live() throws {
    let full = world.folder.file("full")
    var stage = Precompute(
      teacher: .model(world.teacher), data: DataFiles(world.train), format: RowFormat(), cache: full)
    stage.topK = 300
    stage.codec = .exact
    _ = try stage.run()
    var losses: [[Double]] = []
    for (name, teacher) in [("live", "{model: \(world.teacher), live: true}"), ("cached", "{cache: \(full)}")] {
      _ = try Trainer.train(
        try configuration(objective: "{name: srkl}", teacher: teacher), output: world.folder.file(name), resume: false)
      losses.append(try Self.metrics(world.folder.file(name), "divergence"))
    }
    expectClose(losses[0], losses[1], absolute: 1e-4, relative: 1e-3)
  }

  @Test("a loss that stays non-finite stops the run and names a sample") func diverges() throws {
    let settings = try configuration(
      objective: "{name: sft}", training: ", gradient_clip: 0, warmup_steps: 0, schedule: constant, non_finite_limit: 3"
    )
    .atRate(1e20)
    expectDiagnostic(.failure, field: "training.non_finite_limit", saying: "3 steps in a row", "train.jsonl line") {
      _ = try Trainer.train(settings, output: self.world.folder.file("diverged"), resume: false)
    }
  }

  @Test("the newest checkpoints and the best are kept") func keeps() throws {
    let run = world.folder.file("kept")
    let settings = try configuration(extra: "checkpoints: {every: 2, keep: 2}\nvalidation: {every: 2}")
    let outcome = try Trainer.train(settings, output: run, resume: false)
    let steps = try RunFolder(run).checkpointSteps()
    #expect(steps.suffix(2) == [10, 12])
    #expect(steps.count <= 3)
    #expect(outcome.bestStep.map(steps.contains) == true)
    #expect(File.exists("\(run)/checkpoints/best/model.safetensors"))
  }

  @Test("a run folder is not started twice, nor resumed with another configuration") func refusals() throws {
    let run = world.folder.file("run")
    _ = try Trainer.train(try configuration(), output: run, resume: false)
    expectDiagnostic(file: run, saying: "already holds a run at step 12", "`resume`") {
      _ = try Trainer.train(try self.configuration(), output: run, resume: false)
    }
    expectDiagnostic(
      field: "objective.name", saying: "another configuration: `objective.name: fkl` then, `objective.name: srkl` now"
    ) {
      _ = try Trainer.train(try self.configuration(objective: "{name: srkl}"), output: run, resume: true)
    }
  }

  @Test("a student of another tokenizer and a cache without the rows are refused") func mismatches() throws {
    let other = try TinyWorld(rows: 12, seed: 9)
    expectDiagnostic(saying: "different tokenizers", "the cache") {
      var settings = try self.configuration(teacher: "{cache: \(self.cache)}")
      settings.student.from = other.student
      _ = try Trainer.train(settings, output: self.world.folder.file("a"), resume: false)
    }
    expectDiagnostic(line: 1, saying: "no record in the cache", "run precompute") {
      var settings = try self.configuration(teacher: "{cache: \(self.cache)}")
      settings.data.train = WeightedData(DataFiles(self.world.validation))
      _ = try Trainer.train(settings, output: self.world.folder.file("b"), resume: false)
    }
  }

  @Test("a cache that another teacher made is refused where the teacher's model is at hand") func otherTeacher() throws
  {
    expectDiagnostic(field: "teacher.model", saying: "made by another teacher", world.student, "run precompute") {
      _ = try Trainer.train(
        try self.configuration(
          objective: "{name: srkl}", extra: "replay: {initial_phi: 0.5}",
          teacher: "{model: \(self.world.student), cache: \(self.cache)}"),
        output: self.world.folder.file("other-teacher"), resume: false)
    }
  }

  @Test("layers of the teacher make a student") func layers() throws {
    let run = world.folder.file("layers")
    var settings = try configuration()
    settings.student.from = nil
    settings.student.layers = [1]
    _ = try Trainer.train(settings, output: run, resume: false)
    #expect(try Self.metrics(run, "divergence").count == 12)
  }

  /// A number of every logged step.
  private static func metrics(_ run: String, _ name: String) throws -> [Double] {
    try MetricsReader.values(of: name, in: "\(run)/metrics.jsonl")
  }
}

extension TrainingConfiguration {
  fileprivate func lengthened(to steps: Int) -> TrainingConfiguration {
    var copy = self
    copy.training.steps = steps
    return copy
  }

  fileprivate func atRate(_ rate: Double) -> TrainingConfiguration {
    var copy = self
    copy.training.learningRate = rate
    return copy
  }
}
