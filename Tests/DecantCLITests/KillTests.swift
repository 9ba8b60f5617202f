import Files
import Fixtures
import Foundation
import JSON
import LogitCache
import Models
import RandomStreams
import Replay
import TestSupport
import Testing

/// Killed with SIGKILL at random moments and run again, a job ends as if nothing had happened.
@Suite("Verbs that are killed", .serialized, .timeLimit(.minutes(30))) struct KillTests {
  /// How often processes are killed: a few times in `make test`, often in `make faults`.
  static let kills = Int(environment("DECANT_FAULTS") ?? "") ?? 2

  let world: TinyWorld
  var folder: TemporaryFolder { world.folder }

  init() throws { world = try TinyWorld(rows: 400) }

  /// A verb under attack. Each attempt works on a path of its own.
  struct Job {
    var verb: String
    /// The command line that writes to a path.
    var words: (String) -> [String]
    /// Puts what the job starts from at a path.
    var prepare: (String) throws -> Void = { _ in }
    /// What of the work is done at a path, from 0 to 1; nil where nothing there tells, so that the time must.
    var share: (String) throws -> Double? = { _ in nil }
    /// Whether a killed job had come to its end but for its exit, of a job that begins anew then: it had nothing to go on
    /// with, so the kill says nothing.
    var isOver: (String) throws -> Bool = { _ in false }
    /// What is left in the end, as bytes to compare.
    var product: (String) throws -> [String: [UInt8]]
  }

  /// Kills a job at random moments, runs it again to its end, and expects what an uninterrupted one leaves. Only kills
  /// between 5 and 95 % of the work count.
  func attack(_ job: Job, sourceLocation: SourceLocation = #_sourceLocation) throws {
    func path(_ name: String) throws -> String {
      let path = folder.file("\(job.verb.replacing(" ", with: "-"))-\(name)")
      try job.prepare(path)
      return path
    }
    let whole = try path("whole"), kills = Self.kills
    let start = ContinuousClock.now
    try DecantProcess.run(job.words(whole), in: folder.path, sourceLocation: sourceLocation)
    let duration = (ContinuousClock.now - start) / .seconds(1)
    let expected = try job.product(whole)
    var stream = RandomStream(seed: UInt64(kills), name: "kills")
    var counted = 0
    for attempt in 0..<(kills * 6) where counted < kills {
      let killed = try path("killed-\(attempt)")
      let part = 0.05 + 0.9 * stream.uniformDouble()
      let victim = try DecantProcess(job.words(killed), in: folder.path)
      Thread.sleep(forTimeInterval: duration * part)
      victim.kill()
      guard try victim.wait().wasKilled, try !job.isOver(killed) else { continue }
      let share = try job.share(killed) ?? part
      try DecantProcess.run(job.words(killed), in: folder.path, sourceLocation: sourceLocation)
      let left = try job.product(killed)
      for name in Set(expected.keys).union(left.keys) where expected[name] != left[name] {
        Issue.record(
          "\(job.verb), killed with \(Int(100 * share)) % done: \(name) differs", sourceLocation: sourceLocation)
      }
      try File.remove(killed)
      guard share >= 0.05 && share <= 0.95 else { continue }
      counted += 1
      print("\(job.verb) killed with \(Int(100 * share)) % of the work done")
    }
    #expect(counted == kills, "kills of \(job.verb) between 5 and 95 % of the work", sourceLocation: sourceLocation)
  }

  private func output(_ words: [String]) throws -> [UInt8] {
    Array(try DecantProcess.run(words, in: folder.path).output.utf8)
  }

  /// The contents of files below a path.
  private func files(_ names: String..., of path: String) throws -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: try names.map { ($0, try File.read("\(path)/\($0)")) })
  }

  // MARK: Verbs

  private func precompute(_ cache: String) -> [String] {
    [
      "precompute", "--teacher", world.teacher, "--data", world.train, "--cache", cache, "--top-k", "16",
      "--batch-tokens", "64",
    ]
  }

  /// The export of a cache without damage.
  func export(_ cache: String) throws -> [String: [UInt8]] {
    try DecantProcess.run(["cache", "verify", cache], in: folder.path)
    return ["export": try output(["cache", "export", cache])]
  }

  @Test("precompute, killed and run again, leaves the export of an uninterrupted run") func precompute() throws {
    try attack(
      Job(
        verb: "precompute", words: precompute,
        share: { cache in
          guard let cache = try? LogitCache(directory: cache), let count = try? cache.count else { return 0 }
          return Double(count) / 400
        }, product: export))
  }

  @Test("train with replay, killed and resumed, ends in the same bytes") func train() throws {
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
      validation: {every: 10, limit: 30}
      checkpoints: {every: 7}
      replay: {initial_phi: 0.5, capacity: 40, max_new_tokens: 12}
      """, to: "train.yaml")
    try attack(
      Job(
        verb: "train", words: { ["train", "--config", configuration, "--output", $0, "--resume"] },
        share: { run in
          guard let bytes = try? File.read("\(run)/metrics.jsonl") else { return 0 }
          // Sixty steps, and seven validations with the one at the start.
          return Double(bytes.count { $0 == UInt8(ascii: "\n") }) / 67
        },
        product: { run in
          let last = "checkpoints/last"
          var left = try files(
            "metrics.jsonl", "\(last)/model.safetensors", "\(last)/optimizer.safetensors", of: run)
          left["replay"] = try output(["replay", "show", "--all", "\(run)/replay"])
          return left
        }))
  }

  @Test("generate, killed and run again, leaves the bytes of an uninterrupted run") func generate() throws {
    try attack(
      Job(
        verb: "generate",
        words: {
          [
            "generate", "--model", world.student, "--data", world.train, "--output", "\($0)/answers.jsonl",
            "--max-new-tokens", "32", "--batch-size", "4",
          ]
        }, prepare: File.makeFolder,
        share: { path in
          guard let bytes = try? File.read("\(path)/answers.jsonl") else { return 0 }
          return Double(bytes.count { $0 == UInt8(ascii: "\n") }) / 400
        }, product: { try files("answers.jsonl", of: $0) }))
  }

  @Test(
    "embed, killed and run again, leaves the bytes of an uninterrupted run",
    arguments: ["vectors.jsonl", "vectors.safetensors"])
  func embed(output: String) throws {
    let model = try world.encoder()
    try attack(
      Job(
        verb: "embed \(output)",
        words: {
          [
            "embed", "--model", model, "--data", world.train, "--output", "\($0)/\(output)", "--batch-tokens", "1",
            "--pooling", "pooler",
          ]
        }, prepare: File.makeFolder,
        share: { path in
          let part = "\(path)/\(output)\(output.hasSuffix("jsonl") ? "" : ".part")"
          guard let bytes = try? File.read(part) else { return 0 }
          let rows = output.hasSuffix("jsonl") ? bytes.count { $0 == UInt8(ascii: "\n") } : bytes.count / 64
          return Double(rows) / 400
        }, product: { try files(output, of: $0) }))
  }

  @Test("regenerate, killed and run again, publishes the version of an uninterrupted run") func regenerate() throws {
    try attack(
      Job(
        verb: "regenerate",
        words: {
          [
            "regenerate", "--student", world.student, "--teacher", world.teacher, "--data", world.train, "--replay", $0,
            "--top-k", "8", "--max-new-tokens", "24", "--batch-size", "4",
          ]
        }, isOver: { try (try? ReplayStore(directory: $0))?.latest() != nil },
        product: { ["replay": try output(["replay", "show", "--all", $0])] }))
  }

  @Test("run, killed and run again, leaves the products of an uninterrupted run") func run() throws {
    let pipeline = try folder.write(
      """
      output: unused
      stages:
        signals:
          precompute: {teacher: \(world.teacher), data: \(world.train), top_k: 8}
        student:
          train:
            student: {from: \(world.student)}
            teacher: {cache: "${output}/signals/cache"}
            data: {train: \(world.train), validation: \(world.validation)}
            objective: {name: fkl}
            training: {steps: 12, batch_size: 6, log_every: 1}
            validation: {limit: 20}
            checkpoints: {every: 4}
        answers:
          generate: {model: "${output}/student/checkpoints/last", data: \(world.validation), max_new_tokens: 12}
        own:
          regenerate:
            student: "${output}/student/checkpoints/last"
            teacher: \(world.teacher)
            data: \(world.validation)
            top_k: 8
            max_new_tokens: 12
      """, to: "pipeline.yaml")
    try attack(
      Job(
        verb: "run", words: { ["run", pipeline, "--output", $0] },
        product: { path in
          var left = try files(
            "student/metrics.jsonl", "student/checkpoints/last/model.safetensors", "answers/responses.jsonl", of: path)
          left["cache"] = try output(["cache", "export", "\(path)/signals/cache"])
          left["replay"] = try output(["replay", "show", "--all", "\(path)/own/replay"])
          return left
        }))
  }

  @Test("cache repair, killed and run again, and precompute leave the export of a cache that was never damaged")
  func repair() throws {
    let cache = folder.file("damaged")
    try DecantProcess.run(precompute(cache), in: folder.path)
    let undamaged = try export(cache)
    var data = try File.read("\(cache)/shard-0000/data.mdb")
    // Every eighth record.
    let marks = data.indices.filter { data[$0...].starts(with: Array("DCR1".utf8)) }
    for (index, start) in marks.enumerated() where index.isMultiple(of: 8) && start + 100 < data.count {
      data[start + 100] ^= 0xFF
    }
    try File.write(data, to: "\(cache)/shard-0000/data.mdb")
    try attack(
      Job(
        verb: "cache repair", words: { ["cache", "repair", $0] },
        prepare: { path in
          for folder in [path, "\(path)/shard-0000"] {
            try File.makeFolder(folder)
            let source = cache + folder.dropFirst(path.count)
            for name in try File.list(source) where !File.isFolder("\(source)/\(name)") {
              try File.write(try File.read("\(source)/\(name)"), to: "\(folder)/\(name)")
            }
          }
        },
        product: { path in
          try DecantProcess.run(precompute(path), in: folder.path)
          let left = try export(path)
          #expect(left == undamaged)
          return left
        }))
  }

  @Test(
    "convert, killed and run again, leaves the folder of an uninterrupted run, and none between that is loaded in part")
  func convert() throws {
    let model = folder.file("large")
    let configuration: JSONObject = [
      "model_type": "llama", "vocab_size": 300, "hidden_size": 256, "intermediate_size": 700, "num_hidden_layers": 6,
      "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 96, "rms_norm_eps": 1e-5,
      "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": true, "bos_token_id": 0, "eos_token_id": 0,
    ]
    var stream = RandomStream(seed: 1, name: "initialization")
    try ModelStore.save(try ModelStore.make(configuration, stream: &stream, trainable: false), to: model)
    let whole = ModelStore.fingerprint(of: try ModelStore.load(model, trainable: false).model)
    try attack(
      Job(
        verb: "convert", words: { ["convert", "--model", model, "--output", $0, "--max-shard-size", "1MB"] },
        isOver: { path in
          // Looked at as the kill left it.
          guard File.exists("\(path)/config.json") else { return false }
          let found = try ModelStore.load(path, trainable: false).fingerprint
          #expect(found == whole)
          return true
        },
        product: { path in
          Dictionary(uniqueKeysWithValues: try File.list(path).map { ($0, try File.read("\(path)/\($0)")) })
        }))
  }

  @Test("synthesize and cache export, killed and run again, leave whole files") func files() throws {
    try attack(
      Job(
        verb: "synthesize", words: { ["synthesize", "--output", $0, "--train", "2000"] },
        product: { try files("train.jsonl", "test.jsonl", "tokenizer.json", of: $0) }))
    let cache = folder.file("exported")
    try DecantProcess.run(precompute(cache), in: folder.path)
    try attack(
      Job(
        verb: "cache export", words: { ["cache", "export", cache, "--output", "\($0)/export.jsonl"] },
        prepare: File.makeFolder, product: { try files("export.jsonl", of: $0) }))
  }
}
