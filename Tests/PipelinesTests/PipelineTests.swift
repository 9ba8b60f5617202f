import Files
import Fixtures
import Glibc
import Pipelines
import Telemetry
import TestSupport
import Testing

@Suite("Pipelines") struct PipelineTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 24) }

  private func file(_ overrides: [String] = []) throws -> PipelineFile {
    let path = try world.folder.write(
      """
      output: \(world.folder.file("out"))
      variables: {teacher: \(world.teacher)}
      stages:
        signals:
          precompute: {teacher: "${teacher}", data: \(world.train), top_k: 8}
        student:
          sweep:
            learning_rates: [1.0e-3, 2.0e-3]
            train:
              seed: ${seed}
              student: {from: \(world.student)}
              teacher: {cache: "${output}/signals/cache"}
              data: {train: \(world.train), validation: \(world.validation)}
              objective: {name: fkl}
              training: {steps: 4, batch_size: 4}
        table:
          compare:
            data: \(world.validation)
            teacher: ${teacher}
            cache: ${output}/signals/cache
            max_new_tokens: 4
            models: {start: \(world.student), student: "${output}/student/best"}
      """, to: "pipeline.yaml")
    return try PipelineFile(path: path, overrides: overrides)
  }

  @Test("the project's own pipelines are read", arguments: ["quickstart", "stories-random", "stories-tuned"])
  func own(name: String) throws {
    let file = try PipelineFile(path: "\(SharedData.packageRoot)/pipelines/\(name).yaml", output: "elsewhere")
    #expect(file.pipeline.stages.count == 8)
    #expect(file.pipeline.stages.allSatisfy { $0.folder == "elsewhere/\($0.name)" })
  }

  @Test("stages run once, and then their products stand") func twice() throws {
    let first = try PipelineRunner(file()).run()
    #expect(first.map(\.name) == ["signals", "student", "table"])
    #expect(first.allSatisfy { !$0.skipped })
    let table = try #require(first.last?.text)
    for word in ["teacher", "start", "student", "nll", "ROUGE-L", "bytes a token", "100/0/0 %"] {
      #expect(table.contains(word), "\(word) in\n\(table)")
    }
    let again = try PipelineRunner(file()).run()
    #expect(again.allSatisfy { $0.skipped })
    #expect(again.last?.text == table)
  }

  @Test(
    "a stage's name never leads out of the output", arguments: ["../../x", "/x", "a/b", "..", ".", "", "/\u{338}x"])
  func names(name: String) throws {
    let text = "output: \(world.folder.file("out"))\nstages:\n  \"\(name)\":\n    synthesize: {train: 4}\n"
    let path = try world.folder.write(text, to: "names.yaml")
    expectDiagnostic(file: path, line: 4, saying: "stages.", "no plain name", "without a slash") {
      _ = try PipelineFile(path: path)
    }
  }

  @Test("a pipeline that is stopped again and again ends in the same table") func stopped() async {
    await #expect(processExitsWith: .success) {
      Log.threshold = .warning
      let tests = try PipelineTests()
      func table(afterLooks looks: Int?) throws -> [UInt8]? {
        Interruption.request(afterLooks: looks)
        let outcomes = try PipelineRunner(tests.file()).run()
        return outcomes.count == 3 ? try File.read("\(outcomes[2].folder)/table.json") : nil
      }
      let whole = try table(afterLooks: nil)
      try File.remove(tests.world.folder.file("out"))
      // Each sitting goes a little further, into training, the scoring of a run and the comparison.
      let sittings = try (0..<40).map { try table(afterLooks: $0) }
      exit(sittings.prefix(3).allSatisfy { $0 == nil } && whole != nil && sittings.last == whole ? 0 : 1)
    }
  }

  @Test("a stage that was made by another configuration is not taken for this one's") func changed() throws {
    _ = try PipelineRunner(file()).run()
    expectDiagnostic(
      saying: "made by another configuration: sweep.train.seed is 2 now, 1 there",
      "choose another `output`"
    ) {
      _ = try PipelineRunner(self.file(["seed=2"])).run()
    }
  }

  @Test("a finished stage is not taken for this one's where what it read has changed") func changedInputs() throws {
    _ = try PipelineRunner(file()).run()
    let rows = try File.read(world.validation)
    try File.write(rows + rows, to: world.validation)
    expectDiagnostic(field: "data.validation", saying: "begun with something else", world.validation) {
      _ = try PipelineRunner(self.file()).run()
    }
    // What has gone is not needed by stages that are finished.
    try File.write(rows, to: world.validation)
    try File.remove(world.train)
    #expect(try PipelineRunner(file()).run().allSatisfy { $0.skipped })
  }

  @Test("a stage whose product has gone runs again") func lostProduct() throws {
    _ = try PipelineRunner(file()).run()
    try File.remove(world.folder.file("out/table/table.txt"))
    #expect(try PipelineRunner(file()).run().map(\.skipped) == [true, true, false])
  }

  @Test("variables that name each other do not grow without bound") func growingVariables() throws {
    let lines = (0..<60).map { "  v\($0): \"${v\($0 + 1)}${v\($0 + 1)}\"\n" }.joined()
    let path = try world.folder.write("variables:\n\(lines)  v60: x\nstages: {a: \"${v0}\"}\n", to: "grows.yaml")
    expectDiagnostic(file: path, saying: "more than 16 MiB of text") { _ = try PipelineFile(path: path) }
  }

  @Test(
    "what is wrong is named with its place",
    arguments: [
      ("stages.table.compare.modles=1", "modles"), ("stages.student.sweep.learning_rates=[]", "learning"),
      ("stages.signals={distil: {}}", "a stage has exactly one key"), ("seed=x", "seed"),
    ]) func faults(override: String, word: String)
  {
    expectDiagnostic(saying: word) { _ = try self.file([override]) }
  }
}
