import Files
import Foundation
import JSON
import TestSupport
import Testing

/// What a binary of format version 1 left: see `scripts/golden/version1`.
@Suite("What version 1 left on disk") struct Version1Tests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    let archive = "\(SharedData.packageRoot)/Tests/DecantCLITests/Golden/version1.tar.gz"
    let tar = Process()
    tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    tar.arguments = ["tar", "-xzf", archive, "-C", folder.path]
    try tar.run()
    tar.waitUntilExit()
    try #require(tar.terminationStatus == 0)
  }

  /// Runs by the kernels that every CPU has, as the fixture was made.
  @discardableResult
  private func decant(
    _ words: String..., expecting status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> DecantProcess.Result {
    let result = try DecantProcess(
      words, in: folder.path, environment: ["DECANT_KERNELS": "baseline"],
      isWorkingFolder: true
    ).wait()
    #expect(
      result.status == status, "decant \(words.joined(separator: " ")) said: \(result.errors)",
      sourceLocation: sourceLocation)
    return result
  }

  private func text(_ name: String) throws -> String {
    String(decoding: try File.read(folder.file(name)), as: UTF8.self)
  }

  /// The lines of an export without what is not of version 1, and without keys where they are not asked for.
  private func lines(_ export: String, keys: Bool = true) throws -> [String] {
    try export.split(separator: "\n").map { line in
      var object = try #require(try JSONValue.parse(String(line)).objectValue)
      object["scored_positions"] = nil
      if !keys { object["key"] = nil }
      return JSONValue.object(object).text()
    }
  }

  @Test("a cache is exported and verified as before", arguments: ["cache", "exact"]) func reads(cache: String) throws {
    let export = try decant("cache", "export", cache).output
    #expect(try lines(export) == lines(text("expected/\(cache).jsonl")))
    #expect(export.contains("\"scored_positions\":["))
    try decant("cache", "verify", cache)
    let info = try decant("cache", "info", cache, "--json").output
    #expect(info.contains("\"format_version\":1") && info.contains("\"missing\":0"))
  }

  @Test("a damaged cache is repaired to a sound one of the same version") func repairs() throws {
    var bytes = try File.read(folder.file("cache/shard-0000/data.mdb"))
    let mark = Array("DCR1".utf8)
    let record = try #require(bytes.indices.first { Array(bytes[$0..<min($0 + 4, bytes.count)]) == mark })
    bytes[record + 600] ^= 0x55
    try File.write(bytes, to: folder.file("cache/shard-0000/data.mdb"))
    try decant("cache", "verify", "cache", expecting: 1)
    let said = try decant("cache", "repair", "cache", "--json").output
    #expect(said.contains("\"damages\":1"))
    try decant("cache", "verify", "cache")
    #expect(try text("cache/manifest.json").contains("\"format_version\": 1"))
  }

  /// Goes on with the cache that was begun.
  private func goOn(_ words: String...) throws -> DecantProcess.Result {
    try DecantProcess(
      ["precompute", "--teacher", "teacher", "--data", "train.jsonl", "--cache", "begun", "--top-k", "8"] + words,
      in: folder.path, environment: ["DECANT_KERNELS": "baseline"], isWorkingFolder: true
    ).wait()
  }

  @Test("an upgrade keeps every signal, and what a killed one left is removed") func upgrades() throws {
    let before = try decant("cache", "export", "begun").output
    try File.makeFolder(folder.file("begun/shard-0001"))
    _ = try folder.write("half a store", to: "begun/shard-0001/data.mdb")
    let done = try decant("cache", "upgrade", "begun", "--json").output
    #expect(
      done.contains("\"samples\":8") && done.contains("\"plans\":1") && done.contains("\"format_version_before\":1"))
    #expect(try File.list(folder.file("begun")) == ["manifest.json", "shard-0001", "writer.lock"])
    try decant("cache", "verify", "begun")
    let after = try decant("cache", "export", "begun").output
    #expect(try lines(after, keys: false).sorted() == lines(before, keys: false).sorted())
    #expect(try lines(after) != lines(before))
    #expect(try decant("cache", "upgrade", "begun", "--json").output.contains("\"format_version_before\":2"))
  }

  @Test("the same command goes on with a cache that was begun, with nothing computed twice", arguments: [true, false])
  func goesOn(upgradedBefore: Bool) throws {
    let dry = try goOn("--dry-run", "--json")
    #expect(dry.output.contains("\"present\":8"), "\(dry)")
    if upgradedBefore { try decant("cache", "upgrade", "begun") }
    #expect(try goOn("--dry-run", "--json").output.contains("\"present\":8"))
    let went = try goOn()
    #expect(went.status == 0 && went.output.contains("computed: 16"), "\(went)")
    let warning = upgradedBefore ? "begun with unknown, gone on with" : "does not say which kernels made a sample"
    #expect(went.errors.contains(warning))
    let whole = try decant("cache", "export", "begun").output
    let expected = try lines(text("expected/cache.jsonl"), keys: !upgradedBefore)
    #expect(try lines(whole, keys: !upgradedBefore).sorted() == expected.sorted())
    let info = try decant("cache", "info", "begun", "--json").output
    let kernels =
      "[{\"kernels\":\"unknown\",\"samples\":8},{\"kernels\":\"own matrix kernels, baseline\",\"samples\":16}]"
    #expect(info.contains("\"kernels\":\(upgradedBefore ? kernels : "[]")"), "\(info)")
    #expect(info.contains("\"samples\":24,\"missing\":0}") && !info.contains("\"missing\":1"))
    try decant("cache", "verify", "begun")
  }

  @Test("a run that a signal stopped ends in the bytes of one that was not, its replay store growing on")
  func resumesRun() throws {
    try decant("train", "--config", "train.yaml", "--output", "run", "--resume")
    let sum = Process(), pipe = Pipe()
    sum.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    sum.arguments = ["sha256sum", folder.file("run/checkpoints/last/model.safetensors")]
    sum.standardOutput = pipe
    try sum.run()
    let printed = String(decoding: try #require(try pipe.fileHandleForReading.readToEnd()), as: UTF8.self)
    #expect(printed.prefix(64) == (try text("expected/run.sha256")).prefix(64))
    try decant("replay", "verify", "run/replay")
    #expect(try text("run/checkpoints/last/trainer_state.json").contains("\"optimizer_steps\""))
  }

  @Test("an upgraded cache is the same part of a run") func resumesWithUpgradedCache() throws {
    try decant("cache", "upgrade", "cache")
    try decant("train", "--config", "train.yaml", "--output", "run", "--resume")
  }

  @Test("half an output is completed to the same bytes") func resumesOutput() throws {
    let said = try decant(
      "generate", "--model", "teacher", "--data", "train.jsonl", "--output", "answers.jsonl", "--max-new-tokens", "8",
      "--temperature", "0.7"
    ).output
    #expect(said.contains("resumed rows: 12"))
    #expect(try File.read(folder.file("answers.jsonl")) == File.read(folder.file("expected/answers.jsonl")))
  }

  @Test("a replay store is read as before and takes further versions") func replay() throws {
    let shown = try decant("replay", "show", "replay").output
    #expect(try lines(shown) == lines(text("expected/replay.jsonl")))
    try decant(
      "regenerate", "--student", "teacher", "--teacher", "teacher", "--data", "dev.jsonl", "--replay", "replay",
      "--top-k", "8", "--max-new-tokens", "8", "--seed", "3")
    let all = try decant("replay", "show", "replay", "--all").output
    let versions = try lines(all).count
    #expect(versions == 3 * 8)
    try decant("replay", "verify", "replay")
    let info = try decant("replay", "info", "replay", "--json").output
    #expect(info.contains("\"kernels\":"))
  }

  @Test("a pipeline's finished stages are skipped") func pipeline() throws {
    let said = try decant("run", "pipeline.yaml").errors
    for stage in ["data", "teacher", "teacher-cache"] { #expect(said.contains(", \(stage): its product is there")) }
    #expect(!said.contains("precompute:"))
  }
}
