import Files
import Fixtures
import Foundation
import LogitCache
import RandomStreams
import TestSupport
import Testing

/// How often processes are killed: a few times in `make test`, often in `make faults`.
private let kills = Int(environment("DECANT_FAULTS") ?? "") ?? 2

/// Killed with SIGKILL at random moments and run again, a job ends as if nothing had happened.
@Suite("kill -9", .serialized, .timeLimit(.minutes(10))) struct KillTests {
  @Test("precompute, killed and run again, leaves the export of an uninterrupted run") func precompute() throws {
    let world = try TinyWorld(rows: 400)
    func arguments(_ cache: String) -> [String] {
      [
        "precompute", "--teacher", world.teacher, "--data", world.train, "--cache", cache, "--top-k", "16",
        "--batch-tokens", "64",
      ]
    }
    let whole = world.folder.file("whole")
    let start = ContinuousClock.now
    try DecantProcess.run(arguments(whole), in: world.folder.path)
    let duration = ContinuousClock.now - start
    let expected = try DecantProcess.run(["cache", "export", whole], in: world.folder.path).output
    var stream = RandomStream(seed: UInt64(kills), name: "kills")
    var counted = 0
    for attempt in 0..<(kills * 4) where counted < kills {
      let cache = world.folder.file("killed-\(attempt)")
      let victim = try DecantProcess(arguments(cache), in: world.folder.path)
      Thread.sleep(forTimeInterval: duration / .seconds(1) * (0.15 + 0.75 * stream.uniformDouble()))
      victim.kill()
      guard try victim.wait().wasKilled, let share = Self.share(of: cache, samples: 400) else { continue }
      if share >= 0.05 && share <= 0.95 { counted += 1 }
      print("precompute killed with \(Int(100 * share)) % of the records written")
      try DecantProcess.run(arguments(cache), in: world.folder.path)
      #expect(try DecantProcess.run(["cache", "export", cache], in: world.folder.path).output == expected)
      #expect(try DecantProcess.run(["cache", "verify", cache], in: world.folder.path).status == 0)
    }
    #expect(counted == kills, "kills between 5 and 95 % of the work")
  }

  @Test("train with replay, killed and resumed, ends in the same bytes") func train() throws {
    let world = try TinyWorld(rows: 120)
    let folder = world.folder
    let cache = folder.file("cache")
    try DecantProcess.run(
      ["precompute", "--teacher", world.teacher, "--data", world.train, "--cache", cache, "--top-k", "16"],
      in: folder.path)
    let configuration = try folder.write(
      """
      seed: 5
      student: {from: \(world.student)}
      teacher: {model: \(world.teacher), cache: \(cache)}
      data: {train: \(world.train), validation: \(world.validation)}
      objective: {name: srkl}
      training: {steps: 60, batch_size: 6, learning_rate: 1e-3, dropout: 0.1, log_every: 1}
      validation: {every: 10}
      checkpoints: {every: 7}
      replay: {initial_phi: 0.5, capacity: 40, max_new_tokens: 12}
      """, to: "train.yaml")
    func arguments(_ output: String) -> [String] {
      ["train", "--config", configuration, "--output", output, "--resume"]
    }
    let whole = folder.file("whole")
    let start = ContinuousClock.now
    try DecantProcess.run(arguments(whole), in: folder.path)
    let duration = ContinuousClock.now - start
    var stream = RandomStream(seed: UInt64(kills), name: "kills")
    var counted = 0
    for attempt in 0..<(kills * 4) where counted < kills {
      let run = folder.file("killed-\(attempt)")
      let victim = try DecantProcess(arguments(run), in: folder.path)
      Thread.sleep(forTimeInterval: duration / .seconds(1) * (0.2 + 0.7 * stream.uniformDouble()))
      victim.kill()
      let steps = Self.steps(in: run)
      guard try victim.wait().wasKilled, steps >= 3, steps <= 57 else { continue }
      counted += 1
      print("train killed after step \(steps) of 60")
      try DecantProcess.run(arguments(run), in: folder.path)
      for file in ["model.safetensors", "optimizer.safetensors"] {
        #expect(
          try File.read("\(run)/checkpoints/last/\(file)") == File.read("\(whole)/checkpoints/last/\(file)"), "\(file)")
      }
      #expect(try File.read("\(run)/metrics.jsonl") == File.read("\(whole)/metrics.jsonl"))
      let show = ["replay", "show", "--all"]
      #expect(
        try DecantProcess.run(show + ["\(run)/replay"], in: folder.path).output
          == DecantProcess.run(show + ["\(whole)/replay"], in: folder.path).output)
    }
    #expect(counted == kills, "kills between 5 and 95 % of the work")
  }

  /// Share of the samples that a cache holds; nil where it is not there yet.
  private static func share(of cache: String, samples: Int) -> Double? {
    guard let cache = try? LogitCache(directory: cache), let count = try? cache.count else { return nil }
    return Double(count) / Double(samples)
  }

  /// Steps that a run has reported.
  private static func steps(in run: String) -> Int {
    guard let bytes = try? File.read("\(run)/metrics.jsonl") else { return 0 }
    return bytes.count { $0 == UInt8(ascii: "\n") } * 60 / 67
  }
}
