import Configuration
import Distillation
import Files
import Fixtures
import Generation
import JSON
import Models
import Tensor
import TestSupport
import Testing
import Training

/// The forecast of whole runs.
@Suite("The memory of a run") struct RunMemoryTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 48) }

  private func configuration(
    training: String = "", extra: String = "", objective: String = "srkl"
  ) throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        teacher: {model: \(world.teacher), live: true}
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: \(objective)}
        training: {steps: 16, batch_size: 12, learning_rate: 3.0e-3, log_every: 1, dropout: 0.1\(training)}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  private func train(_ name: String, _ configuration: TrainingConfiguration) throws -> TrainingOutcome {
    try Trainer.train(configuration, output: world.folder.file(name), resume: false)
  }

  @Test(
    "of all steps the largest micro-batch counts, within 5 %",
    arguments: ["", ", recompute: true", ", micro_batch_tokens: 100", ", micro_batch_tokens: 1"])
  func largestMicroBatch(training: String) throws {
    let configuration = try configuration(training: training)
    let outcome = try train("run", configuration)
    expectClose(Double(outcome.stepPeakBytes), Double(outcome.forecast.step), relative: 0.05, training)
    #expect(try MemoryForecast(configuration) == outcome.forecast)
  }

  @Test("models are counted with gradients and moments, and the parts make the sum") func models() throws {
    let forecast = try MemoryForecast(configuration())
    func bytes(_ path: String) throws -> Int {
      try ModelStore.load(path, trainable: false).model.parameters.values.count * 4
    }
    #expect(try forecast.parameters == bytes(world.student))
    #expect(forecast.gradients == forecast.parameters && forecast.optimizer == 2 * forecast.parameters)
    #expect(try forecast.teacher == bytes(world.teacher))
    #expect(forecast.total == 4 * forecast.parameters + forecast.teacher + forecast.step)
    #expect(forecast.tokens > 0 && forecast.step > 0)
  }

  @Test("student outputs are counted at their largest possible") func studentOutputs() throws {
    let outcome = try train(
      "replay", try configuration(extra: "replay: {initial_phi: 0.8, max_new_tokens: 60}"))
    #expect((outcome.sources[.fresh] ?? 0) > 0)
    #expect(outcome.stepPeakBytes <= outcome.forecast.step)
    #expect(try outcome.forecast.step > MemoryForecast(configuration()).step)
  }

  @Test("a run that recomputes ends in the bytes of one that does not, metrics included") func sameBytes() throws {
    let plain = try train("plain", try configuration())
    let recomputed = try train("recomputed", try configuration(training: ", recompute: true"))
    for file in ["checkpoints/last/model.safetensors", "metrics.jsonl"] {
      #expect(try File.read(world.folder.file("plain/\(file)")) == File.read(world.folder.file("recomputed/\(file)")))
    }
    #expect(recomputed.stepPeakBytes < plain.stepPeakBytes)
  }

  @Test("a run may go on recomputing, to the same bytes") func resumesRecomputing() throws {
    let plain = try configuration(extra: "checkpoints: {every: 5, keep: 9}")
    _ = try train("run", plain)
    let run = RunFolder(world.folder.file("run"))
    let weights = try File.read("\(run.last)/model.safetensors")
    for step in try run.checkpointSteps() where step != 5 { try File.remove(run.checkpoint(step: step)) }
    let recomputing = try configuration(training: ", recompute: true", extra: "checkpoints: {every: 5, keep: 9}")
    #expect(try Trainer.train(recomputing, output: run.path, resume: true).steps == 16)
    #expect(try File.read("\(run.last)/model.safetensors") == weights)
  }

  @Test("the log's line has every part that is there, in MiB") func line() {
    var forecast = MemoryForecast()
    (forecast.parameters, forecast.gradients, forecast.optimizer) = (116 << 20, 116 << 20, 231 << 20)
    forecast.step = 557 << 20
    #expect("\(forecast)" == "about 1,020 MiB expected: parameters 116, gradients 116, optimizer 231, step 557")
    forecast.teacher = 5 << 20
    #expect("\(forecast)".contains("optimizer 231, teacher 5, step 557"))
  }

  @Test("what does not fit is warned of, with what helps") func shortage() throws {
    var forecast = MemoryForecast()
    (forecast.parameters, forecast.step, forecast.tokens) = (100 << 20, 900 << 20, 4321)
    #expect(forecast.shortage(limit: 1000 << 20, recomputing: false) == nil)
    let warning = try #require(forecast.shortage(limit: 999 << 20, recomputing: false))
    for words in ["1,000 MiB expected", "999 MiB", "micro_batch_tokens below 4321", "training.recompute to true"] {
      #expect(warning.contains(words), "\(warning)")
    }
    #expect(forecast.shortage(limit: 999 << 20, recomputing: true)?.contains("recompute") == false)
    #expect(forecast.shortage(limit: 90 << 20, recomputing: false)?.contains("a smaller student") == true)
  }

  @Test("what decoding holds is said, and what does not fit is warned of with what helps") func inference() throws {
    var forecast = InferenceForecast(
      parameters: 100 << 20,
      decoding: DecodingMemory(
        batchSize: 8, capacity: 192, weights: 110 << 20, cache: 800 << 20, pass: 70 << 20, sampling: 10 << 20))
    #expect(
      "\(forecast)"
        == "up to 1,090 MiB expected: parameters 100, weights laid out 110, keys and values 800 (8 rows of 192 tokens), pass 80"
    )
    #expect(forecast.shortage(limit: 1090 << 20) == nil)
    let warning = try #require(forecast.shortage(limit: 1089 << 20))
    for words in ["1,090 MiB expected", "1,089 MiB available", "batch size to 7 or less"] {
      #expect(warning.contains(words), "\(warning)")
    }
    #expect(forecast.shortage(limit: 220 << 20)?.contains("a smaller model") == true)
    forecast.decoding.batchSize = 1
    #expect("\(forecast)".contains("(1 row of 192 tokens)"))
  }
}
