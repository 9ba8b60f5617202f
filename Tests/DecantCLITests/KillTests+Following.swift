import Files
import Fixtures
import Foundation
import RandomStreams
import Replay
import TestSupport
import Testing

/// A training run and the process that writes what its student writes.
extension KillTests {
  /// The path of a configuration.
  private func configuration(_ source: String, writer: String) throws -> String {
    // One of them trains a student whose layer is used twice.
    let share = source.contains("source: paired") ? ", share: {layers: 1, swap: false}" : ""
    let cache = folder.file("cache")
    if !File.exists("\(cache)/manifest.json") {
      try DecantProcess.run(
        ["precompute", "--teacher", world.teacher, "--data", world.train, "--cache", cache, "--top-k", "16"],
        in: folder.path)
    }
    return try folder.write(
      """
      seed: 5
      student: {from: \(world.student)\(share)}
      teacher: {model: \(world.teacher), cache: \(cache)}
      data: {train: \(world.train), validation: \(world.validation)}
      training: {steps: 60, batch_size: 6, learning_rate: 1e-3, dropout: 0.1, log_every: 1}
      validation: {every: 10, limit: 30}
      checkpoints: {every: 7, keep: 1}
      \(source.replacing("WRITER", with: writer))
      """, to: "\(writer).yaml")
  }

  private static let adaptive = """
    objective: {name: srkl}
    source: adaptive
    replay: {initial_phi: 0.5, capacity: 60, max_new_tokens: 12, round: 6, lag: 1, writer: WRITER}
    """
  private static let paired = """
    objective: {name: distillm-2}
    source: paired
    replay: {max_new_tokens: {from: 4, to: 12}, round: 8, writer: WRITER}
    """

  private func trained(_ run: String) throws -> [String: [UInt8]] {
    var left: [String: [UInt8]] = [
      "replay": Array(try DecantProcess.run(["replay", "show", "--all", "\(run)/replay"], in: folder.path).output.utf8)
    ]
    for name in ["metrics.jsonl", "checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"] {
      left[name] = try File.read("\(run)/\(name)")
    }
    return left
  }

  private func share(_ run: String) -> Double {
    guard let bytes = try? File.read("\(run)/metrics.jsonl") else { return 0 }
    // Sixty steps, and seven validations with the one at the start.
    return Double(bytes.count { $0 == UInt8(ascii: "\n") }) / 67
  }

  @Test(
    "a run and the process that writes for it, each killed at random and run again, end in the bytes of a run that writes by itself",
    arguments: [adaptive, paired])
  func following(source: String) throws {
    let alone = folder.file("alone"), kills = Self.kills
    try DecantProcess.run(
      ["train", "--config", try configuration(source, writer: "trainer"), "--output", alone], in: folder.path)
    let expected = try trained(alone)
    let beside = try configuration(source, writer: "process")
    var stream = RandomStream(seed: UInt64(kills), name: "kills")
    var killed = [0, 0]
    for attempt in 0..<kills * 6 where killed.contains(where: { $0 < kills }) {
      let run = folder.file("followed-\(attempt)")
      let words = [["train", "--config", beside, "--output", run, "--resume"], ["replay", "follow", run]]
      var processes = try words.map { try DecantProcess($0, in: folder.path) }
      // Some kills a run, so that it comes to its end.
      for _ in 0..<4 where processes[0].process.isRunning {
        Thread.sleep(forTimeInterval: 0.05 + 0.5 * stream.uniformDouble())
        let victim = killed[0] < killed[1] ? 0 : killed[1] < killed[0] ? 1 : stream.below(2)
        let share = share(run)
        processes[victim].kill()
        let result = try processes[victim].wait()
        if result.wasKilled, (0.05...0.95).contains(share) {
          killed[victim] += 1
          print(
            "\(victim == 0 ? "a followed run" : "replay follow") killed with \(Int(100 * share)) % of the work done")
        }
        processes[victim] = try DecantProcess(words[victim], in: folder.path)
      }
      // Without the one the other would wait for ever.
      let follower = try processes[1].wait()
      if follower.status != 0 { processes[0].kill() }
      let result = try processes[0].wait()
      #expect(follower.status == 0 && result.status == 0, "\(follower.errors)\n\(result.errors)")
      let left = try trained(run)
      for name in expected.keys where left[name] != expected[name] {
        Issue.record("followed-\(attempt): \(name) differs")
      }
      try File.remove(run)
    }
    #expect(killed.allSatisfy { $0 >= kills }, "kills of the run and of the process that follows it: \(killed)")
  }

  @Test("a process that follows a run says what it waits for, and refuses a run that writes by itself")
  func followed() throws {
    let alone = folder.file("alone")
    try DecantProcess.run(
      ["train", "--config", try configuration(Self.paired, writer: "trainer"), "--output", alone], in: folder.path)
    let refused = try DecantProcess.run(["replay", "follow", alone], in: folder.path, expecting: 2)
    #expect(refused.errors.contains("replay.writer") && refused.errors.contains("by itself"))
    let beside = folder.file("beside")
    let words = [
      "train", "--config", try configuration(Self.paired, writer: "process"), "--output", beside, "--resume",
    ]
    // Alone it waits, and stops when it is asked to.
    let trainer = try DecantProcess(words, in: folder.path)
    while trainer.process.isRunning, try !trainer.errorsSoFar().contains("decant replay follow \(beside)") {
      Thread.sleep(forTimeInterval: 0.02)
    }
    trainer.process.terminate()
    #expect(try trainer.wait().status == 75)
    // It writes for what the run began with alone.
    let rows = try File.read(world.train)
    try File.write(rows + Array(rows.prefix { $0 != UInt8(ascii: "\n") }) + [UInt8(ascii: "\n")], to: world.train)
    let changed = try DecantProcess.run(["replay", "follow", beside], in: folder.path, expecting: 2)
    #expect(changed.errors.contains("data.train is") && changed.errors.contains("bring back"), "\(changed.errors)")
    try File.write(rows, to: world.train)
    // One that is alone waits too.
    let follower = try DecantProcess(["replay", "follow", beside, "--json"], in: folder.path)
    while follower.process.isRunning, try !follower.errorsSoFar().contains("waits for its checkpoint of step 8") {
      Thread.sleep(forTimeInterval: 0.02)
    }
    let second = try DecantProcess.run(["replay", "follow", beside], in: folder.path, expecting: 2)
    #expect(second.errors.contains("in use by process"))
    follower.process.terminate()
    let stopped = try follower.wait()
    #expect(stopped.status == 75 && stopped.errors.contains("1 versions are published"), "\(stopped.errors)")
    let both = try [words, ["replay", "follow", beside]].map { try DecantProcess($0, in: folder.path) }
    for process in both {
      let result = try process.wait()
      #expect(result.status == 0, "\(result.errors)")
    }
    #expect(try trained(beside) == trained(alone))
    // The process that writes is the one that removes what no step can draw any more; how far it comes is a matter of time.
    let pruned = folder.file("pruned")
    let keeping = try configuration(Self.paired.replacing("round: 8", with: "round: 8, keep: 1"), writer: "process")
    let keepers = try [["train", "--config", keeping, "--output", pruned], ["replay", "follow", pruned]].map {
      try DecantProcess($0, in: folder.path)
    }
    for process in keepers { #expect(try process.wait().status == 0) }
    #expect(try (2...8).contains(ReplayStore(directory: "\(pruned)/replay").versions().map(\.number).first ?? 0))
    #expect(
      try File.read("\(pruned)/checkpoints/last/model.safetensors")
        == File.read("\(alone)/checkpoints/last/model.safetensors"))
  }
}
