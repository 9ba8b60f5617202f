import Files
import Fixtures
import Foundation
import TestSupport
import Testing

/// Looking after a replay store from the command line, and a run with more versions than open files.
@Suite("The verbs of a replay store") struct ReplayCommandTests {
  private let world: TinyWorld
  private var store: String { world.folder.file("replay") }

  init() throws {
    world = try TinyWorld(rows: 8)
    for seed in ["1", "2", "3"] { try regenerate("--seed", seed) }
  }

  @discardableResult
  private func regenerate(_ more: String..., status: Int32 = 0) throws -> DecantProcess.Result {
    try decant(
      [
        "regenerate", "--student", world.student, "--teacher", world.teacher, "--data", world.train, "--replay", store,
        "--top-k", "8", "--max-new-tokens", "4",
      ] + more, status: status)
  }

  @discardableResult
  private func decant(_ words: [String], status: Int32 = 0) throws -> DecantProcess.Result {
    try DecantProcess.run(words, in: world.folder.path, expecting: status)
  }

  @Test("verify finds a damaged sample, and prune --only removes its version") func verify() throws {
    #expect(try decant(["replay", "verify", store, "--json"]).output.contains("\"damages\":0"))
    // The key of version 2, sample 5 stands before the sample, also on pages that were copied since.
    let key: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5]
    var bytes = try File.read("\(store)/data.mdb")
    for place in 0..<bytes.count - 64 where bytes[place] == 0 && bytes[place..<place + 16].elementsEqual(key) {
      bytes[place + 48] ^= 4
    }
    try File.write(bytes, to: "\(store)/data.mdb")
    let found = try decant(["replay", "verify", store], status: 1)
    #expect(found.errors.contains("version 2, sample 5") && found.errors.contains("replay prune --only"))
    #expect(try decant(["replay", "show", store, "2"], status: 1).errors.contains("prune --only 2"))
    try decant(["replay", "prune", store, "--only", "2"])
    #expect(try decant(["replay", "prune", store, "--only", "2"], status: 2).errors.contains("no version 2"))
    try decant(["replay", "verify", store])
    #expect(try decant(["replay", "info", store]).output.split(separator: "\n").count == 2)
  }

  @Test("prune takes one of its two options, and makes no store") func prune() throws {
    for words in [[], ["--keep", "1", "--only", "1"]] {
      #expect(try decant(["replay", "prune", store] + words, status: 2).errors.contains("takes one of"))
    }
    let nowhere = world.folder.file("nowhere")
    try decant(["replay", "prune", nowhere, "--keep", "1"], status: 2)
    #expect(!File.exists(nowhere))
  }

  @Test("a version of another tokenizer is refused before the work, with both values") func tokenizer() throws {
    let other = try TinyWorld(rows: 8, seed: 9)
    let said = try decant(
      [
        "regenerate", "--student", other.student, "--teacher", other.teacher, "--data", other.train, "--replay", store,
        "--max-new-tokens", "4",
      ], status: 2)
    #expect(said.errors.contains("tokenizer: version 3") && said.errors.contains("publish into another folder"))
    #expect(!said.errors.contains("rows ("), "nothing was generated: \(said.errors)")
    #expect(try decant(["replay", "info", store]).output.contains("tokenizer"))
  }

  @Test("a run publishes more versions than it may open files") func descriptors() throws {
    let path = try world.folder.write(
      """
      student: {from: \(world.student)}
      teacher: {model: \(world.teacher), live: true}
      data: {train: \(world.train)}
      objective: {name: srkl}
      training: {steps: 70, batch_size: 1}
      checkpoints: {every: 35}
      source: on-policy
      replay: {max_new_tokens: 2}
      """, to: "run.yaml")
    let limited = Process()
    limited.executableURL = URL(fileURLWithPath: "/bin/sh")
    limited.arguments = [
      "-c", "ulimit -n 30 && exec \"$0\" \"$@\" 2> \"$DECANT_TEST_ERRORS\"", DecantProcess.executable.path, "train",
      "--config", path, "--output", world.folder.file("run"),
    ]
    let errors = world.folder.file("errors")
    limited.environment = ProcessInfo.processInfo.environment.merging(["DECANT_TEST_ERRORS": errors]) { $1 }
    limited.standardOutput = FileHandle.nullDevice
    try limited.run()
    limited.waitUntilExit()
    let said = String(decoding: try File.read(errors), as: UTF8.self)
    #expect(limited.terminationStatus == 0, "\(said)")
    let versions = try decant(["replay", "info", world.folder.file("run/replay")]).output.split(separator: "\n")
    #expect(versions.count >= 70, "\(versions.count) versions")
  }
}
