import Configuration
import Distillation
import Files
import Fixtures
import Foundation
import JSON
import Samples
import Telemetry
import Teachers
import TestSupport
import Testing
import Training

/// Jobs that are stopped at each place where they look for a signal, one after the other. Each test is a process of its
/// own, since a signal concerns the whole process.
@Suite("Stopped at any place") struct StoppedAnywhereTests {
  @Test("a run goes on to the bytes of one that was left alone, validations and fresh responses included")
  func training() async {
    await #expect(processExitsWith: .success) { try telling { try StoppedRuns().check() } }
  }

  @Test("generate goes on to the same bytes, and evaluate and regenerate leave nothing half done")
  func others() async {
    await #expect(processExitsWith: .success) { try telling { try StoppedJobs().check() } }
  }
}

/// What a test of another process reports by.
private struct Difference: Error, CustomStringConvertible {
  var description: String
}

/// Says what went wrong before the process ends with it.
private func telling(_ body: () throws -> Void) throws {
  do { try body() } catch {
    Log.warning("\(error)")
    exit(1)
  }
}

private struct StoppedRuns {
  let world: TinyWorld
  let settings: TrainingConfiguration

  init() throws {
    world = try TinyWorld(rows: 24)
    Log.threshold = .warning
    settings = try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        teacher: {model: \(world.teacher), live: true}
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: srkl}
        training: {steps: 5, batch_size: 3, learning_rate: 3.0e-3, log_every: 1, dropout: 0.1, micro_batch_tokens: 32}
        checkpoints: {every: 3, keep: 9}
        validation: {every: 2}
        replay: {initial_phi: 0.7, max_new_tokens: 4, capacity: 20}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  /// One sitting; nil where it was stopped while it was loading.
  private func sitting(_ run: String, stopAfterLooks looks: Int?) throws -> TrainingOutcome? {
    Interruption.request(afterLooks: looks)
    do { return try Trainer.train(settings, output: run, resume: true) } catch is Interrupted { return nil }
  }

  func check() throws {
    let whole = world.folder.file("whole")
    guard try sitting(whole, stopAfterLooks: nil)?.interrupted == false else { throw Difference(description: "no run") }
    let wanted = try contents(whole)
    var looks = 0, stopsInValidation = 0
    while true {
      let run = world.folder.file("run-\(looks)")
      // Twice, so that what was stopped is stopped again at another place.
      let first = try sitting(run, stopAfterLooks: looks)
      if first?.interrupted == false { break }
      if try dueValidation(run) { stopsInValidation += 1 }
      _ = try sitting(run, stopAfterLooks: 3)
      guard try sitting(run, stopAfterLooks: nil)?.interrupted == false else {
        throw Difference(description: "stopped after \(looks) looks, it does not end")
      }
      let found = try contents(run)
      for (name, bytes) in wanted where found[name] != bytes {
        throw Difference(description: "stopped after \(looks) looks: \(name) differs")
      }
      try File.remove(run)
      looks += 1
    }
    guard looks > 20 && stopsInValidation > 4 else {
      throw Difference(description: "\(looks) looks, \(stopsInValidation) of them in a validation")
    }
  }

  private func dueValidation(_ run: String) throws -> Bool {
    guard let step = try RunFolder(run).checkpointSteps().last else { return false }
    let path = "\(RunFolder(run).checkpoint(step: step))/trainer_state.json"
    return try JSONValue.parse(File.read(path), file: path)["validation_due"]?.boolValue == true
  }

  /// What a run ends with, without the times of a clock.
  private func contents(_ run: String) throws -> [String: [UInt8]] {
    var found = ["metrics": try File.read("\(run)/metrics.jsonl")]
    for checkpoint in ["last", "best"] {
      for name in ["model.safetensors", "optimizer.safetensors"] {
        found["\(checkpoint)/\(name)"] = try File.read("\(run)/checkpoints/\(checkpoint)/\(name)")
      }
      let path = "\(run)/checkpoints/\(checkpoint)/trainer_state.json"
      var state = try JSONValue.parse(File.read(path), file: path).objectValue ?? [:]
      state["seconds"] = nil
      found["\(checkpoint)/state"] = JSONValue.object(state).serialized()
    }
    return found
  }
}

private struct StoppedJobs {
  let world: TinyWorld

  init() throws {
    world = try TinyWorld(rows: 16)
    Log.threshold = .warning
  }

  private var decoding: DecodingConfiguration {
    var decoding = DecodingConfiguration()
    decoding.maximumNewTokens = 6
    return decoding
  }

  /// Whether a job was stopped.
  private func isStopped(afterLooks looks: Int?, _ job: () throws -> Bool) throws -> Bool {
    Interruption.request(afterLooks: looks)
    do { return try job() } catch is Interrupted { return true }
  }

  private func checkEmbed() throws {
    func embed(_ output: String) throws -> Bool {
      var job = TextEmbedding(model: world.student, data: DataFiles(world.validation), output: output)
      job.tokensPerBatch = 1
      return try job.run().interrupted
    }
    for kind in ["jsonl", "safetensors"] {
      let whole = world.folder.file("whole-vectors.\(kind)")
      _ = try isStopped(afterLooks: nil) { try embed(whole) }
      var looks = 0
      while true {
        let output = world.folder.file("cut-vectors-\(looks).\(kind)")
        if try !isStopped(afterLooks: looks, { try embed(output) }) { break }
        _ = try isStopped(afterLooks: nil) { try embed(output) }
        guard try File.read(output) == File.read(whole) else {
          throw Difference(description: "embed to \(kind) stopped after \(looks) looks differs")
        }
        looks += 1
      }
      guard looks >= 4 else { throw Difference(description: "embed looks \(looks) times only") }
    }
  }

  func check() throws {
    func generate(_ output: String) throws -> Bool {
      var job = BatchInference(
        model: world.student, data: DataFiles(world.validation), format: RowFormat(), output: output, decoding: decoding
      )
      job.batchSize = 2
      return try job.run().interrupted
    }
    let whole = world.folder.file("whole.jsonl")
    _ = try isStopped(afterLooks: nil) { try generate(whole) }
    var looks = 0
    while true {
      let output = world.folder.file("cut-\(looks).jsonl")
      let stopped = try isStopped(afterLooks: looks) { try generate(output) }
      if !stopped { break }
      _ = try isStopped(afterLooks: nil) { try generate(output) }
      guard try File.read(output) == File.read(whole) else {
        throw Difference(description: "generate stopped after \(looks) looks differs")
      }
      looks += 1
    }
    guard looks > 10 else { throw Difference(description: "generate looks \(looks) times only") }
    try checkEmbed()
    var evaluation = ModelEvaluation(model: world.student, data: DataFiles(world.validation), format: RowFormat())
    evaluation.generate = true
    evaluation.maximumNewTokens = 4
    evaluation.tokensPerBatch = 16
    for looks in 0..<8 {
      guard
        try isStopped(
          afterLooks: looks,
          {
            _ = try evaluation.run(); return false
          })
      else {
        throw Difference(description: "evaluate does not look \(looks + 1) times")
      }
    }
    let regeneration = Regeneration(
      student: world.student, teacher: .model(world.teacher), data: DataFiles(world.validation), format: RowFormat(),
      replay: world.folder.file("replay"), decoding: decoding)
    for looks in 0..<7 {
      guard try isStopped(afterLooks: looks, { try regeneration.run().interrupted }) else {
        throw Difference(description: "regenerate does not look \(looks + 1) times")
      }
    }
    guard try !isStopped(afterLooks: nil, { try regeneration.run().version != 1 }) else {
      throw Difference(description: "a stopped regeneration published something")
    }
  }
}
