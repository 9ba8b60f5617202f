import Configuration
import Distillation
import Files
import Fixtures
import LogitCache
import Samples
import Teachers
import TestSupport
import Testing
import Training

/// A cache with a teacher beside it: what is missing is asked about, and stays.
@Suite("Caches that are filled by who reads them") struct CacheThroughTests {
  private let world: TinyWorld

  init() throws { world = try TinyWorld(rows: 48) }

  private func precompute(_ data: String, into cache: String) throws -> Precompute.Outcome {
    var stage = Precompute(teacher: .model(world.teacher), data: DataFiles(data), cache: cache)
    stage.topK = 16
    return try stage.run()
  }

  /// Trains for one and a half epochs and gives the run's folder.
  private func train(_ name: String, teacher: String, extra: String = "") throws -> String {
    let run = world.folder.file(name)
    let settings = try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        teacher: \(teacher)
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: srkl}
        training: {steps: 12, batch_size: 6, learning_rate: 3.0e-3, log_every: 1}
        \(extra)
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
    _ = try Trainer.train(settings, output: run, resume: false)
    return run
  }

  private func weights(_ run: String) throws -> [UInt8] { try File.read("\(run)/checkpoints/last/model.safetensors") }

  private func export(_ cache: String) throws -> [[UInt8]] {
    var lines: [[UInt8]] = []
    try LogitCache(directory: cache).export { lines.append($0) }
    return lines
  }

  @Test("a run that fills its cache ends in the bytes of one from a precomputed cache, and leaves that cache")
  func fills() throws {
    let (before, filled) = (world.folder.file("before"), world.folder.file("filled"))
    _ = try precompute(world.train, into: before)
    let expected = try train("cached", teacher: "{cache: \(before)}")
    let run = try train("through", teacher: "{model: \(world.teacher), cache: \(filled), top_k: 16}")
    #expect(try weights(run) == weights(expected))
    #expect(try export(filled) == export(before))
    // Nothing is left to ask: the teacher need not be there any more, and precompute finds all of it.
    let again = try train("again", teacher: "{cache: \(filled)}")
    #expect(try weights(again) == weights(expected))
    #expect(try precompute(world.train, into: filled).computed == 0)
    #expect(try LogitCache(directory: filled).plans().count == 1)
  }

  @Test("samples that a cache lacks are asked about and added, where a teacher is at hand") func grows() throws {
    let cache = world.folder.file("cache"), part = world.folder.file("part.jsonl")
    let lines = try File.read(world.train).split(separator: UInt8(ascii: "\n"))
    try File.write(Array(lines.prefix(20).joined(separator: [UInt8(ascii: "\n")])), to: part)
    let first = try precompute(part, into: cache)
    let run = try train("grown", teacher: "{model: \(world.teacher), cache: \(cache)}")
    let whole = world.folder.file("whole")
    #expect(try first.computed < precompute(world.train, into: whole).computed)
    #expect(try weights(run) == weights(try train("whole-run", teacher: "{cache: \(whole)}")))
    #expect(try export(cache) == export(whole))
  }

  @Test("who is asked has to be who filled the cache, in its precision") func strangers() throws {
    let cache = world.folder.file("cache"), part = world.folder.file("part.jsonl")
    let lines = try File.read(world.train).split(separator: UInt8(ascii: "\n"))
    try File.write(Array(lines[0]), to: part)
    _ = try precompute(part, into: cache)
    expectDiagnostic(field: "teacher", saying: "teacher is", world.teacher, world.student) {
      _ = try self.train("a", teacher: "{model: \(self.world.student), cache: \(cache)}")
    }
    expectDiagnostic(field: "numerics", saying: "numerics is fp32 in the cache, bf16 now") {
      _ = try self.train(
        "b", teacher: "{model: \(self.world.teacher), cache: \(cache)}", extra: "precision: bf16")
    }
    expectDiagnostic(field: "teacher.url", saying: "names a server beside the model") {
      _ = try self.train("c", teacher: "{model: m, url: 'http://127.0.0.1:1', tokenizer: t, cache: \(cache)}")
    }
  }

  @Test("what a teacher says of answers is kept for the next regeneration") func regenerates() throws {
    let cache = world.folder.file("cache")
    func regenerate(_ name: String) throws -> Regeneration.Outcome {
      var stage = Regeneration(
        student: world.student, teacher: .model(world.teacher), data: DataFiles(world.train),
        replay: world.folder.file(name))
      stage.decoding.maximumNewTokens = 8
      stage.topK = 16
      stage.cache = cache
      return try stage.run()
    }
    let outcome = try regenerate("first")
    let exported = try export(cache)
    #expect(exported.count > 0 && exported.count <= outcome.samples)
    #expect(try regenerate("second").generatedTokens == outcome.generatedTokens)
    #expect(try export(cache) == exported)
  }
}
