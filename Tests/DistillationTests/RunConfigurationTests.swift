import Configuration
import Distillation
import Files
import Fixtures
import TestSupport
import Testing
import Training

/// A run goes on with the configuration it was started with, whatever lines that is written in.
@Suite("The configuration of a run that goes on") struct RunConfigurationTests {
  private let world: TinyWorld
  private var run: RunFolder { RunFolder(world.folder.file("run")) }

  init() throws { world = try TinyWorld(rows: 8) }

  /// Trains, or goes on, with keys beside those that every run needs.
  private func train(_ more: String = "", steps: Int = 2) throws {
    let text = """
      student: {from: \(world.student)}
      data: {train: \(world.train), validation: \(world.validation)}
      training: {steps: \(steps), batch_size: 2}
      \(more)
      """
    let configuration = try ConfigurationFile(text: text, path: "train.yaml").decode(TrainingConfiguration.self)
    var training = StudentTraining(configuration, output: run.path)
    training.resume = true
    _ = try training.run()
  }

  @Test("is compared by value: another layout, other quotes and defaults left out are the same") func byValue() throws {
    try train()
    let lines = String(decoding: try File.read(run.configuration), as: UTF8.self).split(separator: "\n")
    #expect(lines.contains("  log_every: 10") && lines.contains("seed: 1"))
    // As a version without the first key, and a hand that moved the second one, would have left it.
    let other = lines.filter { $0 != "  log_every: 10" && $0 != "seed: 1" } + ["", "# by hand", "seed:   1", ""]
    try File.write(Array(other.joined(separator: "\n").utf8), to: run.configuration)
    try train()
    try train("seed: 1")
  }

  @Test("that differs is refused with the key, both values and the line") func differing() throws {
    try train("seed: 7")
    let lines = String(decoding: try File.read(run.configuration), as: UTF8.self).split(separator: "\n")
    let line = try #require(lines.firstIndex(of: "  steps: 2")) + 1
    expectDiagnostic(
      file: run.configuration, line: line, field: "training.steps",
      saying: "`training.steps: 2` then, `training.steps: 3` now", "choose another `output`"
    ) { try self.train("seed: 7", steps: 3) }
    expectDiagnostic(field: "validation.limit", saying: "nothing then, `validation.limit: 1` now") {
      try self.train("seed: 7\nvalidation: {limit: 1}")
    }
  }
}
