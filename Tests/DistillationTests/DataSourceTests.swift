import Configuration
import Distillation
import Files
import Fixtures
import JSON
import Replay
import Samples
import Sequences
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Training

/// Where the texts of a run's steps come from, in runs of tiny models.
@Suite("Sources of data") struct DataSourceTests {
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

  private func configuration(
    _ extra: String, steps: Int = 12, teacher: String? = nil, objective: String = "{name: srkl}"
  ) throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        teacher: \(teacher ?? "{model: \(world.teacher), cache: \(cache)}")
        data: {train: \(world.train), validation: \(world.validation)}
        objective: \(objective)
        training: {steps: \(steps), batch_size: 6, learning_rate: 3.0e-3, log_every: 1}
        checkpoints: {every: 5}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  private func train(_ extra: String, as name: String, steps: Int = 12) throws -> TrainingOutcome {
    try Trainer.train(try configuration(extra, steps: steps), output: world.folder.file(name), resume: false)
  }

  private func weights(_ name: String) throws -> [UInt8] {
    try File.read("\(world.folder.file(name))/checkpoints/last/model.safetensors")
  }

  private func sources(_ name: String) throws -> [String] {
    try File.read("\(world.folder.file(name))/metrics.jsonl").split(separator: UInt8(ascii: "\n")).compactMap {
      try JSONValue.parse(Array($0))["source"]?.stringValue
    }
  }

  @Test(
    "a fixed source takes no notice of replay, and a mixture without a share of the student's is the same to the bit")
  func corners() throws {
    _ = try train("", as: "plain")
    let fixed = try train("source: fixed\nreplay: {initial_phi: 1}", as: "fixed")
    let none = try train("source: {mixed: {student: 0}}", as: "none")
    #expect(fixed.sources == [.data: 12] && none.sources == [.data: 12] && none.staleness == nil)
    for name in ["fixed", "none"] { #expect(try weights(name) == weights("plain")) }
    #expect(!File.exists("\(world.folder.file("fixed"))/replay"))
  }

  @Test("on-policy every step learns from what was written at it, without a signal for the rows") func onPolicy() throws
  {
    let settings = try configuration(
      "source: on-policy\nreplay: {max_new_tokens: 8, mode: released}", teacher: "{model: \(world.teacher), top_k: 16}")
    let outcome = try Trainer.train(settings, output: world.folder.file("own"), resume: false)
    #expect(outcome.sources == [.fresh: 12])
    #expect(outcome.staleness?.most == 0 && outcome.staleness?.samples == 72)
    // A mixture of every step is the same.
    _ = try train("source: {mixed: {student: 1}}\nreplay: {max_new_tokens: 8}", as: "all")
    #expect(try weights("all") == weights("own"))
  }

  @Test("a share of the student's is that share, of fresh texts, or of drawn ones as the released code has it")
  func mixtures() throws {
    let paper = try train("source: {mixed: {student: 0.5}}\nreplay: {max_new_tokens: 4}", as: "paper", steps: 60)
    #expect(try sources("paper").allSatisfy { $0 != "replay" })
    #expect((20...40).contains(paper.sources[.fresh] ?? 0) && paper.staleness?.most == 0)
    let released = try train(
      "source: {mixed: {student: 0.5}}\nreplay: {max_new_tokens: 4, mode: released}", as: "released", steps: 60)
    #expect((20...40).contains(released.sources[.fresh] ?? 0) && (released.staleness?.most ?? 0) > 0)
  }

  @Test("the teacher's own texts are those that generate writes, and the run that of a run on them") func teacherTexts()
    throws
  {
    var texts = BatchInference(
      model: world.teacher, data: DataFiles(world.train), format: RowFormat(), output: world.folder.file("texts.jsonl"))
    (texts.seed, texts.decoding.maximumNewTokens) = (3, 8)
    _ = try texts.run()
    let sft = "{name: sft}", live = "{model: \(world.teacher), live: true}"
    for (name, teacher, objective) in [("words", "{model: \(world.teacher)}", sft), ("live", live, "{name: skl}")] {
      let settings = try configuration(
        "source: teacher\nreplay: {max_new_tokens: 8}", teacher: teacher, objective: objective)
      let run = world.folder.file(name)
      let whole = try Trainer.train(settings, output: run, resume: false)
      #expect(whole.sources == [.data: 12])
      #expect(try File.read("\(run)/teacher/texts-1.jsonl") == File.read(texts.output))
      var fixed = try configuration("", teacher: teacher, objective: objective)
      fixed.data.train = WeightedData(DataFiles(texts.output))
      _ = try Trainer.train(fixed, output: world.folder.file("fixed-\(name)"), resume: false)
      #expect(try weights(name) == weights("fixed-\(name)"))
      // Cut off, with half of the texts gone too, it goes on to the same bytes.
      let before = try weights(name)
      for step in try RunFolder(run).checkpointSteps() where step != 5 {
        try File.remove(RunFolder(run).checkpoint(step: step))
      }
      let half = try File.read(texts.output).prefix(900)
      try File.write(Array(half), to: "\(run)/teacher/texts-1.jsonl")
      _ = try Trainer.train(settings, output: run, resume: true)
      #expect(try weights(name) == before)
    }
    let alone = try configuration("source: teacher", teacher: "{cache: \(cache)}")
    expectDiagnostic(field: "teacher.model", saying: "writes the texts") {
      _ = try Trainer.train(alone, output: world.folder.file("alone"), resume: false)
    }
  }

  @Test("pairs are each row and what the student wrote to its prompt when the round began") func pairs() throws {
    let outcome = try train("source: paired\nreplay: {round: 5, max_new_tokens: 6}", as: "pairs")
    #expect(outcome.sources == [.paired: 12])
    #expect(outcome.staleness?.samples == 72 && outcome.staleness?.most == 4)
    let versions = try ReplayStore(directory: "\(world.folder.file("pairs"))/replay").versions()
    #expect(versions.map(\.origin.step) == [0, 5, 10] && versions.map(\.sampleCount) == [30, 30, 12])
    // The prompts of a step are those that it has whoever answers them.
    _ = try train("source: on-policy\nreplay: {max_new_tokens: 6}", as: "own")
    func prompts(_ run: String, from first: Int) throws -> [[Int32]] {
      let writer = try ReplayWriter(directory: "\(world.folder.file(run))/replay")
      let history = try ReplayHistory(of: writer.store, topK: 16, vocabularySize: 300)
      return try (first..<first + 6).map { index in
        let sequence = try history.sample(at: index).sample.scored.sequence
        return Array(sequence.tokenIDs.prefix(sequence.promptLength ?? 0))
      }
    }
    for step in 0..<12 { #expect(try prompts("pairs", from: 6 * step) == prompts("own", from: 6 * step)) }
    let settings = try configuration("source: fixed", objective: "{name: distillm-2}")
    expectDiagnostic(field: "source", saying: "the same prompts", "paired") {
      _ = try Trainer.train(settings, output: world.folder.file("lonely"), resume: false)
    }
  }

  @Test("a mode sets what differs between paper and released code, and a key beside it wins") func modes() throws {
    func sampler(_ keys: String, source: String = "adaptive") throws -> AdaptiveSampler.Settings {
      try #require(configuration("source: \(source)\nreplay: {\(keys)}").outputs).sampler
    }
    let paper = try sampler("mode: paper"), released = try sampler("mode: released")
    #expect((paper.freshBatch, paper.warmFill, paper.comparison) == (.replay, false, .previous))
    #expect((released.freshBatch, released.warmFill, released.comparison) == (.fresh, true, .anchor))
    let mine = try sampler("mode: released, warm_fill: false, fresh_batch: replay")
    #expect((mine.freshBatch, mine.warmFill, mine.comparison) == (.replay, false, .anchor))
    #expect(try sampler("mode: released", source: "on-policy").freshBatch == .fresh)
    #expect(try sampler("mode: paper", source: "{mixed: {student: 0.3}}").freshBatch == .fresh)
    #expect(try sampler("mode: paper", source: "{mixed: {student: 0.3}}").studentShare == 0.3)
  }

  @Test("nothing older than the bound is learnt, and how old samples were is told") func staleness() throws {
    func run(_ bound: String, as name: String) throws -> Staleness {
      try #require(
        train("replay: {initial_phi: 0.9, ratio: increasing, max_new_tokens: 4\(bound)}", as: name, steps: 60)
          .staleness)
    }
    let free = try run("", as: "free"), bounded = try run(", max_staleness: 3", as: "bounded")
    #expect(free.most > 10 && bounded.most == 3 && bounded.mean < free.mean)
    let told = try MetricsReader.values(of: "staleness", in: "\(world.folder.file("bounded"))/metrics.jsonl")
    let written = try sources("bounded").count { $0 != "data" }
    #expect(told.count == written && told.allSatisfy { $0 <= 3 })
    let mean = told.reduce(0, +) * 6 / Double(bounded.samples)
    #expect(abs(mean - bounded.mean) < 1e-9)
  }

  @Test("responses grow with the steps") func lengths() throws {
    _ = try train("source: on-policy\nreplay: {max_new_tokens: {from: 2, to: 13}}", as: "growing")
    let versions = try ReplayStore(directory: "\(world.folder.file("growing"))/replay").versions()
    #expect(versions.map(\.origin.decoding.maximumNewTokens) == Array(2...13))
    let lengths = ResponseLengths(first: 32, last: 256)
    #expect(lengths.tokens(step: 0, of: 100) == 32 && lengths.tokens(step: 99, of: 100) == 256)
    #expect(lengths.tokens(step: 0, of: 1) == 256 && ResponseLengths(first: 9, last: 3).most == 9)
  }

  @Test(
    "an interrupted run goes on to the same bytes",
    arguments: [
      "source: on-policy\nreplay: {max_new_tokens: {from: 2, to: 8}}",
      "source: {mixed: {student: 0.5}}\nreplay: {max_new_tokens: 6, mode: released}",
      "validation: {every: 2}\nreplay: {initial_phi: 0.8, max_new_tokens: 6, mode: paper, max_staleness: 4}",
      "source: paired\nreplay: {round: 4, max_new_tokens: 6, keep: 1}",
      "source: paired\nreplay: {round: 5, max_new_tokens: 6}",
      "source: paired\nreplay: {round: 3, lag: 2, max_new_tokens: 6}",
      "source: {mixed: {student: 0.5}}\nreplay: {round: 3, max_new_tokens: 6, mode: released}",
      "validation: {every: 2}\nreplay: {round: 2, lag: 1, initial_phi: 0, epsilon: -0.5, max_new_tokens: 6, mode: paper}",
      "validation: {every: 2}\nreplay: {initial_phi: 0.8, epsilon: -0.5, max_new_tokens: 6, mode: released, capacity: 12}",
    ])
  func resumes(extra: String) throws {
    let settings = try configuration(extra)
    let whole = world.folder.file("whole"), cut = world.folder.file("cut")
    let first = try Trainer.train(settings, output: whole, resume: false)
    _ = try Trainer.train(settings, output: cut, resume: false)
    for step in try RunFolder(cut).checkpointSteps() where step != 5 {
      try File.remove(RunFolder(cut).checkpoint(step: step))
    }
    let second = try Trainer.train(settings, output: cut, resume: true)
    #expect(try weights("cut") == weights("whole") && second.staleness == first.staleness)
    #expect(try File.read("\(cut)/metrics.jsonl") == File.read("\(whole)/metrics.jsonl"))
    // The recorded configuration is read back as it was.
    let recorded = try ConfigurationFile(path: "\(whole)/config.yaml").decode(TrainingConfiguration.self)
    #expect(try ConfigurationFile.text(of: recorded) == ConfigurationFile.text(of: settings))
  }

  @Test(
    "what is no source is refused with the line",
    arguments: [
      ("source: teacherless", "source", "'teacherless' is none of"),
      ("source: {mixed: {student: 1.5}}", "source.mixed", "from 0.0 to 1.0"),
      ("source: {mixed: {teacher: 0.5}}", "source.mixed.student", "is missing"),
      ("replay: {round: 0}", "replay.round", "from 1"),
      ("replay: {lag: 1}", "replay.lag", "needs rounds"),
      ("replay: {writer: process}", "replay.writer", "needs rounds"),
      ("replay: {round: 4, writer: nobody}", "replay.writer", "process"),
      ("replay: {round: 4, lag: 1, max_staleness: 6}", "replay.max_staleness", "less than the 7 steps"),
      ("source: {}", "source.mixed", "is missing"),
      ("replay: {mode: other}", "replay.mode", "paper"),
      ("replay: {max_new_tokens: {from: 0, to: 3}}", "replay.max_new_tokens", "from 1"),
      ("replay: {max_new_tokens: {from: 1}}", "replay.max_new_tokens.to", "is missing"),
      ("replay: {max_staleness: 0}", "replay.max_staleness", "from 1"),
    ])
  func refused(extra: String, field: String, words: String) {
    expectDiagnostic(file: "test.yaml", line: 8, field: field, saying: words) { _ = try configuration(extra) }
  }

  @Test("a temperature is for a teacher that runs beside the student, and is refused by name elsewhere")
  func temperature() throws {
    let softened = "{name: fkl, temperature: 2}"
    for (extra, teacher) in [("", nil), ("source: on-policy", "{model: \(world.teacher), live: true}")] {
      let settings = try configuration(extra, teacher: teacher, objective: softened)
      expectDiagnostic(field: "objective.temperature", saying: "whole distributions", "live") {
        _ = try Trainer.train(settings, output: world.folder.file("refused"), resume: false)
      }
    }
    let live = "{model: \(world.teacher), live: true}"
    for (name, objective) in [("soft", softened), ("one", "{name: fkl, temperature: 1}"), ("none", "{name: fkl}")] {
      _ = try Trainer.train(
        configuration("", teacher: live, objective: objective), output: world.folder.file(name), resume: false)
    }
    #expect(try weights("one") == weights("none"))
    #expect(try weights("soft") != weights("none"))
    expectDiagnostic(field: "objective.temperature", saying: "above 0") {
      _ = try configuration("", objective: "{name: fkl, temperature: 0}")
    }
  }

  @Test("opd refuses a student that was fine-tuned on another model's texts, with both, and texts that nobody signs")
  func fineTunedOn() throws {
    func run(_ texts: String, as name: String) throws {
      let settings = try configuration("", objective: "{name: opd, fine_tuned_on: \(texts)}")
      _ = try Trainer.train(settings, output: world.folder.file(name), resume: false)
    }
    for (model, name) in [(world.teacher, "teacher"), (world.student, "student")] {
      var stage = BatchInference(
        model: model, data: DataFiles(world.validation), output: world.folder.file("\(name).jsonl"))
      stage.decoding.maximumNewTokens = 4
      _ = try stage.run()
    }
    try run(world.folder.file("teacher.jsonl"), as: "own")
    expectDiagnostic(field: "objective.fine_tuned_on", saying: "of another model", "is the teacher") {
      try run(world.folder.file("student.jsonl"), as: "other")
    }
    expectDiagnostic(field: "objective.fine_tuned_on", saying: "nothing says which model") {
      try run(world.train, as: "unsigned")
    }
  }

  @Test("texts of the student's need a teacher at hand, and an objective that compares with it") func needs() throws {
    for source in ["on-policy", "{mixed: {student: 0.5}}", "adaptive"] {
      let settings = try configuration("source: \(source)", teacher: "{cache: \(cache)}")
      expectDiagnostic(field: "teacher.model", saying: "to score what the student writes") {
        _ = try Trainer.train(settings, output: world.folder.file("lonely"), resume: false)
      }
    }
  }
}
