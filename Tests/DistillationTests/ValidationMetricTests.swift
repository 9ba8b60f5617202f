import Configuration
import Distillation
import Evaluation
import Files
import Fixtures
import Samples
import TestSupport
import Testing
import Training

/// Which checkpoint of a run is the best one, by what its configuration names.
@Suite("The metric of validations") struct ValidationMetricTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 24) }

  private func configuration(_ metric: String) throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: sft}
        training: {steps: 60, batch_size: 6, learning_rate: 3.0e-2, schedule: constant, dropout: 0.1}
        validation: {every: 6\(metric)}
        checkpoints: {keep: 20}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  private func values(_ name: String, _ run: String) throws -> [Double] {
    try MetricsReader.values(of: name, in: "\(run)/metrics.jsonl")
  }

  @Test(
    "the best checkpoint is the first of the highest ROUGE-L, as evaluate finds it, and nothing else of the run changes"
  )
  func rouge() throws {
    let plain = world.folder.file("plain"), run = world.folder.file("rouge")
    let loss = try Trainer.train(configuration(""), output: plain, resume: false)
    let settings = try configuration(", metric: rouge_l, max_new_tokens: 8")
    let outcome = try Trainer.train(settings, output: run, resume: false)
    // One before the first step, and one every six.
    let found = try values("validation_rouge_l", run)
    let best = try #require(found.dropFirst().max())
    #expect(found.count == 11 && Set(found).count > 2, "\(found)")
    #expect(outcome.bestStep == 6 * (found.dropFirst().firstIndex(of: best) ?? 0))
    #expect(outcome.bestStep != loss.bestStep && loss.bestLoss != outcome.bestLoss)
    #expect(try values("validation_loss", run) == values("validation_loss", plain))
    for file in ["checkpoints/last/model.safetensors"] {
      #expect(try File.read("\(run)/\(file)") == File.read("\(plain)/\(file)"))
    }
    var evaluation = ModelEvaluation(model: RunFolder(run).best, data: DataFiles(world.validation))
    evaluation.generate = true
    evaluation.maximumNewTokens = 8
    let responses = try #require(evaluation.run().responses)
    #expect(responses.rougeL == best)
    let exact = try values("validation_exact_match", run)
    #expect(exact[found.dropFirst().firstIndex(of: best) ?? 0] == responses.exactMatch)
    // The recorded configuration is read back as it was.
    let recorded = try ConfigurationFile(path: "\(run)/config.yaml").decode(TrainingConfiguration.self)
    #expect(try ConfigurationFile.text(of: recorded) == ConfigurationFile.text(of: settings))
  }

  @Test("a run that is cut off knows the best again", arguments: ["rouge_l", "exact_match"])
  func resumes(metric: String) throws {
    let settings = try configuration(", metric: \(metric), max_new_tokens: 8")
    let whole = world.folder.file("whole"), cut = world.folder.file("cut")
    let first = try Trainer.train(settings, output: whole, resume: false)
    _ = try Trainer.train(settings, output: cut, resume: false)
    let steps = try RunFolder(cut).checkpointSteps()
    for step in steps where step > steps[steps.count / 2] { try File.remove(RunFolder(cut).checkpoint(step: step)) }
    let second = try Trainer.train(settings, output: cut, resume: true)
    #expect(second.bestStep == first.bestStep && second.bestLoss == first.bestLoss)
    #expect(try File.read("\(cut)/metrics.jsonl") == File.read("\(whole)/metrics.jsonl"))
    #expect(
      try File.read("\(RunFolder(cut).best)/model.safetensors")
        == File.read("\(RunFolder(whole).best)/model.safetensors"))
  }

  @Test("a metric that is none is refused with the line") func refused() {
    expectDiagnostic(file: "test.yaml", line: 6, field: "validation.metric", saying: "rouge_l") {
      _ = try configuration(", metric: bleu")
    }
    expectDiagnostic(file: "test.yaml", line: 6, field: "validation.max_new_tokens", saying: "from 1") {
      _ = try configuration(", metric: rouge_l, max_new_tokens: 0")
    }
  }
}
