import Configuration
import Diagnostics
import Distillation
import Evaluation
import Files
import JSON
import LogitCache
import Samples
import Sequences
import TeacherSignal
import Teachers
import TestSupport
import Testing
import Tokenizers
import Training

/// Conversations of several turns through cache, training and evaluation, every turn of the assistant scored: the losses
/// are PyTorch's on the same mask, by `scripts/golden/conversations.py`.
@Suite("Conversations, from stage to stage") struct ConversationRunTests {
  private let golden = "\(SharedData.packageRoot)/Tests/DistillationTests/Golden/chat"
  private let folder: TemporaryFolder
  private let expected: JSONField
  private var teacher: String { "\(golden)/teacher" }
  private var student: String { "\(golden)/student" }
  private var rows: String { "\(golden)/rows.jsonl" }

  init() throws {
    folder = try TemporaryFolder()
    expected = JSONField(try JSONValue.parse(File.read("\(golden)/expected.json")), file: "expected.json")
  }

  private func format(_ trainOn: TrainOn = .assistant) -> RowFormat {
    var format = RowFormat()
    format.trainOn = trainOn
    return format
  }

  private func precompute(_ format: RowFormat, to name: String = "cache", teacher: String? = nil) throws -> String {
    var stage = Precompute(
      teacher: .model(teacher ?? self.teacher), data: DataFiles(rows), format: format, cache: folder.file(name))
    // All of the vocabulary: nothing is lost.
    stage.topK = 272
    stage.codec = .exact
    let outcome = try stage.run()
    #expect(outcome.account.conversations == 8)
    return stage.cache
  }

  private func configuration(_ teacher: String, data: String = "train_on: assistant") throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        student: {from: \(student)}
        teacher: \(teacher)
        data: {train: \(rows), \(data)}
        objective: {name: skl, alpha: 0.1}
        training: {steps: 2, batch_size: 8, log_every: 1}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  /// The teacher, its texts beginning with the date.
  private func teacher(writing format: String) throws -> String {
    let dated = folder.file("dated")
    try File.makeFolder(dated)
    for name in try File.list(teacher) { try File.write(File.read("\(teacher)/\(name)"), to: "\(dated)/\(name)") }
    let template = String(decoding: try File.read("\(teacher)/chat_template.jinja"), as: UTF8.self)
    try File.write(Array("{{ strftime_now('\(format)') }}\(template)".utf8), to: "\(dated)/chat_template.jinja")
    return dated
  }

  private func number(_ name: String) throws -> Double { try expected.required(name).double() }

  @Test("the cache holds every turn's positions, and says which template wrote them") func cache() throws {
    let cache = try LogitCache(directory: precompute(format()))
    let wanted = try expected.required("rows").elements()
    #expect(try cache.statistics().positions == Int(number("tokens")))
    for row in wanted {
      let ids = try row.required("token_ids").elements().map { Int32(try $0.integer()) }
      let scored = try row.required("scored_positions").elements().map { try $0.integer() }
      let sequence = TokenSequence(tokenIDs: ids, scoredPositions: ScoredPositions(scored))
      #expect(try cache.sample(cache.manifest.key(sequence)) != nil)
    }
    let template = String(decoding: try File.read("\(teacher)/chat_template.jinja"), as: UTF8.self)
    #expect(cache.manifest.chat?["templates"]?["default"]?.stringValue == template)
  }

  @Test("evaluation's figures are PyTorch's") func evaluate() throws {
    var evaluation = ModelEvaluation(model: teacher, data: DataFiles(rows), format: format())
    var report = try evaluation.run()
    #expect(report.tokens == Int(try number("tokens")))
    #expect(abs(report.nll - (try number("teacher"))) < 1e-5)
    // The student's own files have no template: it is asked as its teacher is.
    expectDiagnostic(file: rows, line: 1, saying: "is a conversation") {
      evaluation.model = student
      _ = try evaluation.run()
    }
    evaluation.teacher = .model(teacher)
    report = try evaluation.run()
    #expect(abs(report.nll - (try number("student"))) < 1e-5)
    #expect(abs((report.teacher?.forwardKL ?? 0) - (try number("forward_kl"))) < 1e-5)
  }

  @Test("training's first loss is PyTorch's, live and from the cache, and the student is saved with the template")
  func train() throws {
    let cache = try precompute(format())
    for (name, teacher) in [("cached", "{cache: \(cache)}"), ("live", "{model: \(teacher), live: true}")] {
      let output = folder.file(name)
      _ = try Trainer.train(try configuration(teacher), output: output, resume: false)
      let loss = try #require(MetricsReader.values(of: "divergence", in: "\(output)/metrics.jsonl").first)
      #expect(abs(loss - (try number("skl"))) < 1e-5, "\(name)")
      let saved = "\(output)/checkpoints/last"
      #expect(try Tokenizer(directory: saved).chatTemplate == Tokenizer(directory: self.teacher).chatTemplate)
      // The student by itself now reads conversations as it was taught them.
      let report = try ModelEvaluation(model: saved, data: DataFiles(rows), format: format()).run()
      let before = try number("student")
      #expect(report.tokens == Int(try number("tokens")) && report.nll < before)
    }
  }

  @Test("the date a template asks for is pinned by the cache and the run, and another one is refused with both")
  func date() throws {
    let dated = try teacher(writing: "%Y-%m-%d")
    var early = format()
    early.date = "2026-01-31"
    let cache = try precompute(early, teacher: dated)
    // A later day: the cache goes on with the date that it was begun with.
    _ = try precompute(format(), teacher: dated)
    let manifest = try CacheManifest(directory: cache)
    #expect(manifest.chat?["date"]?.stringValue == "2026-01-31")
    var late = early
    late.date = "2026-02-01"
    expectDiagnostic(field: "date", saying: "2026-01-31 in the cache, 2026-02-01 now") {
      _ = try precompute(late, teacher: dated)
    }
    let output = folder.file("run")
    _ = try Trainer.train(try configuration("{cache: \(cache)}"), output: output, resume: false)
    let made = try String(decoding: File.read("\(output)/made_from.json"), as: UTF8.self)
    #expect(made.contains("2026-01-31") && made.contains("chat_template"))
    _ = try Trainer.train(try configuration("{cache: \(cache)}"), output: output, resume: true)
    expectDiagnostic(field: "data.date", saying: "2026-02-01", "2026-01-31") {
      let other = try configuration("{cache: \(cache)}", data: "train_on: assistant, date: 2026-02-01")
      _ = try Trainer.train(other, output: folder.file("other"), resume: false)
    }
    early.date = "yesterday"
    expectDiagnostic(field: "date", saying: "'yesterday' is no date") { _ = try precompute(early, teacher: dated) }
  }

  @Test("generate goes on with the date that its output was begun with") func generate() throws {
    let dated = try teacher(writing: "%d %b %Y")
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = 4
    var stage = BatchInference(
      model: dated, data: DataFiles(rows), format: RowFormat(), output: folder.file("out.jsonl"), decoding: decoding)
    stage.format.date = "2026-01-31"
    #expect(try stage.run().rows == 8)
    stage.format.date = nil
    #expect(try stage.run().resumedRows == 8)
    stage.format.date = "2026-02-01"
    expectDiagnostic(file: stage.output, field: "samples", saying: "date is 2026-02-01 now, 2026-01-31 then") {
      _ = try stage.run()
    }
  }

  @Test("a cache of the last turns alone has no records for all of them") func others() throws {
    let cache = try precompute(format(.last))
    expectDiagnostic(file: rows, line: 2, saying: "no record") {
      _ = try Trainer.train(try configuration("{cache: \(cache)}"), output: folder.file("run"), resume: false)
    }
  }
}
