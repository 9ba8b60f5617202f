import Files
import Fixtures
import Foundation
import TestSupport
import Testing

/// Stopped by a signal, a second process or a full disk, a job says how to go on, and goes on to the same bytes.
@Suite("Verbs that are stopped", .serialized, .timeLimit(.minutes(10))) struct StoppedTests {
  /// Waits until a job has got somewhere, then asks it to stop.
  private static func stop(_ job: DecantProcess, once isUnderWay: () -> Bool) throws -> DecantProcess.Result {
    while job.process.isRunning && !isUnderWay() { Thread.sleep(forTimeInterval: 0.002) }
    job.process.terminate()
    return try job.wait()
  }

  private static func expectStopped(
    _ result: DecantProcess.Result, says words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let missing = (["stopping after this step", "stopped by a signal"] + words).filter { !result.errors.contains($0) }
    #expect(
      result.status == 75 && missing.isEmpty, "\(missing) not in: \(result.errors)", sourceLocation: sourceLocation)
  }

  @Test("train: SIGTERM writes a checkpoint, a second trainer is kept out") func train() throws {
    let world = try ArtefactWorld()
    let text = world.configuration("steps: 2", by: "steps: 1000000\n  log_every: 1")
    let run = world.file("long")
    let metrics = "\(run)/metrics.jsonl"
    let first = try DecantProcess(try world.train(text, output: "long"), in: world.folder)
    var second: DecantProcess.Result?
    let result = try Self.stop(first) {
      guard File.size(metrics) ?? 0 > 0 else { return false }
      second = try? DecantProcess(
        ["train", "--config", "\(world.folder)/train.yaml", "--output", run], in: world.folder
      )
      .wait()
      return true
    }
    Self.expectStopped(result, says: "checkpoint of step", "--resume")
    let holder = "is in use by process \(first.process.processIdentifier)"
    #expect(second?.status == 2 && second?.errors.contains(holder) == true, "\(second?.errors ?? "did not run")")
    let steps = try File.list("\(run)/checkpoints")
    #expect(steps.contains("last") && steps.count == 2, "\(steps)")
    // Goes on from there, and stops as politely.
    let size = File.size(metrics) ?? 0
    let again = try DecantProcess(try world.train(text, output: "long", "--resume"), in: world.folder)
    Self.expectStopped(try Self.stop(again) { File.size(metrics) ?? 0 > size }, says: "--resume")
    #expect(try File.list("\(run)/checkpoints").count == 3)
  }

  @Test("precompute: SIGTERM, then the same command, leaves an uninterrupted run's export") func precompute() throws {
    let world = try ArtefactWorld(rows: 400)
    func words(_ name: String) -> [String] {
      [
        "precompute", "--teacher", world.teacher, "--data", world.training, "--top-k", "16",
        "--batch-tokens", "48", "--cache", world.file(name),
      ]
    }
    try DecantProcess.run(words("whole"), in: world.folder)
    let data = world.file("stopped/shard-0000/data.mdb")
    let job = try DecantProcess(words("stopped"), in: world.folder)
    Self.expectStopped(
      try Self.stop(job) { File.size(data) ?? 0 > 100_000 }, says: "run the same command again to go on")
    try DecantProcess.run(words("stopped"), in: world.folder)
    #expect(try Self.export("stopped", world) == Self.export("whole", world))
  }

  @Test("generate: SIGTERM, then the same command, leaves an uninterrupted run's bytes") func generate() throws {
    let world = try ArtefactWorld(rows: 400)
    func words(_ name: String) -> [String] {
      [
        "generate", "--model", world.student, "--data", world.training, "--batch-size", "2",
        "--max-new-tokens", "24", "--output", world.file(name),
      ]
    }
    try DecantProcess.run(words("whole.jsonl"), in: world.folder)
    let output = world.file("stopped.jsonl")
    let job = try DecantProcess(words("stopped.jsonl"), in: world.folder)
    Self.expectStopped(try Self.stop(job) { File.size(output) ?? 0 > 0 }, says: "run the same command again to go on")
    #expect(try File.read(output).count < File.read(world.file("whole.jsonl")).count)
    try DecantProcess.run(words("stopped.jsonl"), in: world.folder)
    #expect(try File.read(output) == File.read(world.file("whole.jsonl")))
  }

  @Test(
    "embed: SIGTERM, then the same command, leaves an uninterrupted run's bytes",
    arguments: ["jsonl", "safetensors"])
  func embed(kind: String) throws {
    let world = try TinyWorld(rows: 4000)
    let model = try world.encoder(), folder = world.folder
    func words(_ name: String) -> [String] {
      [
        "embed", "--model", model, "--data", world.train, "--batch-tokens", "1", "--output", folder.file(name),
      ]
    }
    try DecantProcess.run(words("whole.\(kind)"), in: folder.path)
    let output = folder.file("stopped.\(kind)")
    let begun = kind == "jsonl" ? output : "\(output).part"
    let job = try DecantProcess(words("stopped.\(kind)"), in: folder.path)
    Self.expectStopped(try Self.stop(job) { File.size(begun) ?? 0 > 2000 }, says: "run the same command again to go on")
    #expect(try File.read(begun).count < File.read(folder.file("whole.\(kind)")).count)
    let second = try DecantProcess.run(words("stopped.\(kind)"), in: folder.path)
    #expect(second.errors.contains("rows are there, going on"), "\(second.errors)")
    #expect(try File.read(output) == File.read(folder.file("whole.\(kind)")))
    #expect(
      try File.list(folder.path).filter { $0.hasPrefix("stopped") } == ["stopped.\(kind)", "stopped.\(kind).made-by"])
  }

  @Test("a full disk: an error with a remedy, what was there is kept, and the next run completes it") func fullDisk()
    throws
  {
    let world = try ArtefactWorld(rows: 60)
    let folder = world
    let before = try world.contents()
    func fail(_ words: [String], at limit: Int, says: String...) throws {
      let result = try DecantProcess.run(words, in: world.folder, fileLimit: limit, expecting: 1)
      let missing = (["\n  remedy: ", "ulimit -f"] + says).filter { !result.errors.contains($0) }
      #expect(missing.isEmpty, "\(missing) not in: \(result.errors)")
      #expect(try world.contents() == before)
    }
    // The export is over an existing file, which stays.
    let export = ["cache", "export", world.cache, "--output", world.answers]
    try fail(export, at: 8, says: "cannot write the file", "answers.jsonl")
    let cache = [
      "precompute", "--teacher", world.teacher, "--data", world.training, "--top-k", "8", "--batch-tokens", "64",
      "--cache", folder.file("full"),
    ]
    try fail(cache, at: 120, says: "full/shard-0000", "what was committed is kept")
    try DecantProcess.run(cache, in: world.folder)
    #expect(try Self.export("full", world) == Self.export("cache", world))
    let train = try world.train(world.configuration(), output: "trained")
    try fail(train, at: 110, says: "safetensors")
    #expect(try File.list(folder.file("trained/checkpoints")) == [])
    try DecantProcess.run(train, in: world.folder)
    let generate = [
      "generate", "--model", world.student, "--data", world.training, "--max-new-tokens", "8", "--output",
    ]
    try fail(generate + [folder.file("part.jsonl")], at: 8, says: "part.jsonl")
    for name in ["part.jsonl", "whole.jsonl"] {
      try DecantProcess.run(generate + [folder.file(name)], in: world.folder)
    }
    #expect(try File.read(folder.file("part.jsonl")) == File.read(folder.file("whole.jsonl")))
  }

  private static func export(_ name: String, _ world: ArtefactWorld) throws -> String {
    try DecantProcess.run(["cache", "export", world.file(name)], in: world.folder).output
  }
}
