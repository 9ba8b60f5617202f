import Configuration
import Diagnostics
import Distillation
import Files
import Fixtures
import JSON
import RandomStreams
import Samples
import TestSupport
import Testing
import Training

/// A checkpoint that is not what was written, or cannot be of its run, is not trained on.
@Suite("A damaged checkpoint") struct CheckpointTests {
  private let world: TinyWorld
  private let run: RunFolder
  private var newest: String { run.checkpoint(step: 4) }
  private var state: String { "\(newest)/trainer_state.json" }

  init() throws {
    world = try TinyWorld(rows: 12)
    run = RunFolder(world.folder.file("run"))
    _ = try train(resume: false)
  }

  private func configuration(_ training: String = "steps: 4, batch_size: 2") throws -> TrainingConfiguration {
    try ConfigurationFile(
      text: """
        seed: 3
        student: {from: \(world.student)}
        teacher: {model: \(world.teacher), live: true}
        data: {train: \(world.train), validation: \(world.validation)}
        objective: {name: srkl}
        training: {\(training), log_every: 1}
        checkpoints: {every: 2, keep: 3}
        replay: {initial_phi: 0.9, max_new_tokens: 4, ratio: constant, capacity: 20}
        """, path: "test.yaml"
    ).decode(TrainingConfiguration.self)
  }

  private func train(resume: Bool = true) throws -> TrainingOutcome {
    try Trainer.train(try configuration(), output: run.path, resume: resume)
  }

  /// Expects a resume to be refused with a file, or its field, and to leave the damaged file as it is.
  private func expectRefusal(
    _ file: String, field: String? = nil, _ words: String = "", category: Diagnostic.Category = .failure,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = File.exists(file) && !File.isFolder(file) ? try File.read(file) : nil
    expectDiagnostic(
      category, file: file, field: field, saying: words, "remedy", sourceLocation: sourceLocation
    ) { _ = try train() }
    if let before { #expect(try File.read(file) == before, sourceLocation: sourceLocation) }
  }

  /// Makes the newest checkpoint one of the first format, whose state is believed as far as its numbers can be.
  private func removeChecksums() throws {
    try File.remove("\(newest)/checksums.json")
    try makeFirstFormat()
  }

  /// Gives the newest checkpoint's state the number and the keys of the first format.
  private func makeFirstFormat() throws {
    let text = String(decoding: try File.read(state), as: UTF8.self)
    let old = text.replacing(/"([a-z_]+)" :/) { key in
      let words = key.output.1.split(separator: "_")
      return "\"\(words[0])\(words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined())\" :"
    }
    // Steps on the fixed data counted as of the cache, whether or not there was one.
    try put(Array(old.replacing("\"data\" :", with: "\"cache\" :").utf8), at: state)
    try edit(["format"], .integer(1))
  }

  private func edit(_ path: [String], _ value: JSONValue?) throws {
    func edited(_ object: JSONObject, _ path: ArraySlice<String>) -> JSONObject {
      var object = object
      guard let key = path.first else { return object }
      if path.count == 1 {
        object[key] = value
      } else {
        object[key] = .object(edited(object[key]?.objectValue ?? JSONObject(), path.dropFirst()))
      }
      return object
    }
    // The key of a stream takes 64 bits without a sign, which a JSON integer does not hold: they pass as texts.
    let text = String(decoding: try File.read(state), as: UTF8.self).replacing(/[0-9]{19,}/) { "\"@\($0.output)\"" }
    let object = try JSONValue.parse(text).objectValue ?? JSONObject()
    let changed = JSONValue.object(edited(object, path[...])).text().replacing(/"@([0-9]+)"/) { $0.output.1 }
    try put(Array(changed.utf8), at: state)
  }

  /// Writes a file that need not outlive a power cut.
  private func put(_ bytes: [UInt8], at path: String) throws {
    try File.remove(path)
    try AppendingFile(path: path).append(bytes)
  }

  @Test("every flipped bit of every file is found, and says from where to go on") func flips() throws {
    var stream = RandomStream(seed: 1, name: "flips")
    for name in try File.list(newest) {
      let path = "\(newest)/\(name)"
      let sound = try File.read(path)
      for _ in 0..<8 {
        var damaged = sound
        damaged[stream.below(sound.count)] ^= 1 << UInt8(stream.below(8))
        try put(damaged, at: path)
        let said = expectDiagnostic(.failure, saying: "remove \(newest)", "goes on from \(run.checkpoint(step: 2))") {
          _ = try train()
        }
        if name != "checksums.json" { #expect(said?.file == path && said?.message.contains("checksum") == true) }
      }
      try put(sound, at: path)
    }
    #expect(try train().steps == 4)
    try File.remove(newest)
    #expect(try train().steps == 4, "the remedy works")
  }

  @Test("a file that is cut, missing or was put there is found") func files() throws {
    for name in try File.list(newest) {
      let path = "\(newest)/\(name)"
      let sound = try File.read(path)
      try put(Array(sound.dropLast()), at: path)
      // Of the list itself, the last byte is a newline.
      if name != "checksums.json" { try expectRefusal(path, "checksum") }
      try File.remove(path)
      // Without its state it is no checkpoint at all.
      if name != "trainer_state.json" { try expectRefusal(path, "missing") }
      try put(sound, at: path)
    }
    let added = "\(newest)/chat_template.jinja"
    try put(Array("{{ messages }}".utf8), at: added)
    try expectRefusal(added, "was not there")
    try File.remove(added)
    let list = "\(newest)/checksums.json"
    let sound = String(decoding: try File.read(list), as: UTF8.self)
    for (part, other) in [
      ("config.json", "../config.json"), ("\"config.json\"", "\"\""), ("\"format\": 1", "\"format\": 2"),
    ] {
      try put(Array(sound.replacing(part, with: other).utf8), at: list)
      try expectRefusal(list, "list of checksums is damaged")
    }
  }

  @Test("a checkpoint of the first format has no checksums and is gone on from") func firstFormat() throws {
    try File.remove("\(newest)/checksums.json")
    try expectRefusal("\(newest)/checksums.json", "missing")
    try makeFirstFormat()
    #expect(try train().steps == 4)
    try edit(["format"], .integer(5))
    try expectRefusal(state, field: "format", "format 5", category: .input)
  }

  @Test("a number that the run cannot have come to is refused by its field") func numbers() throws {
    try removeChecksums()
    let sound = try File.read(state)
    let large = JSONValue.integer(.max)
    let cases: [([String], JSONValue?, field: String?)] = [
      (["step"], 3, "step"), (["step"], -4, "step"), (["step"], large, "step"), (["step"], .double(1e300), nil),
      (["step"], "4", "step"), (["step"], nil, "step"), (["optimizerSteps"], 3, "optimizer_steps"),
      (["optimizerSteps"], large, "optimizer_steps"), (["optimizerSteps"], -1, "optimizer_steps"),
      (["skippedSteps"], 5, "skipped_steps"), (["skippedSteps"], large, "skipped_steps"), (["tokens"], -1, "tokens"),
      (["tokens"], large, "tokens"), (["seconds"], -1.5, "seconds"), (["sources", "cache"], large, "sources"),
      (["sources", "cache"], -3, "sources"), (["sources", "other"], 0, "sources"),
      (["sources", "fresh"], 0, "sources"),
      (["bestStep"], 5, "best_step"), (["bestStep"], -2, "best_step"), (["bestLoss"], nil, "best_step"),
      (["replayVersion"], 0, "replay_version"), (["replayVersion"], -1, "replay_version"),
      (["dropout", "key"], 5, "dropout"), (["dropout", "position"], 5, "dropout"), (["dropout"], nil, "dropout"),
      (["staleness", "samples"], large, "staleness"), (["staleness", "steps"], -1, "staleness"),
      (["staleness", "most"], 9, "staleness"), (["staleness", "steps"], 100_000, "staleness"),
      (["sampler"], nil, "sampler"), (["sampler", "phi"], 1.5, "sampler.phi"),
      (["sampler", "phi"], 0.5, "sampler.phi"),
      (["sampler", "stream", "key"], 5, "sampler.stream"),
      (["sampler", "settings", "capacity"], 0, "sampler.settings"),
      (["sampler", "settings", "ratio"], "none", "sampler.settings.ratio"),
    ]
    for (path, value, field) in cases {
      try edit(path, value)
      try expectRefusal(state, field: field)
      try put(sound, at: state)
    }
    for text in ["", "{", "[]", "null", "{\"format\":1e400}", String(repeating: "[", count: 100_000)] {
      try put(Array(text.utf8), at: state)
      try expectRefusal(state, "damaged")
    }
    try put(sound, at: state)
    #expect(try train().steps == 4)
  }

  @Test("a moment that no optimizer can have come to is refused") func moments() throws {
    try removeChecksums()
    let path = "\(newest)/optimizer.safetensors"
    let sound = try File.read(path)
    for (offset, value, field) in [
      // The second moments end the file.
      (sound.count - 64, Float.nan, "second_moment"), (sound.count - 64, -1, "second_moment"),
      (sound.count - 64, .infinity, "second_moment"), (sound.count / 4, .nan, "first_moment"),
    ] {
      var damaged = sound
      for byte in 0..<4 {
        damaged[offset / 4 * 4 + byte] = UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * byte))
      }
      try put(damaged, at: path)
      try expectRefusal(path, field: field, "no optimizer can have come to")
    }
    let text = Array("\"F32\"".utf8)
    let place = try #require(sound.indices.first { sound[$0...].starts(with: text) })
    var retyped = sound
    retyped.replaceSubrange(place..<place + text.count, with: Array("\"I32\"".utf8))
    try put(retyped, at: path)
    try expectRefusal(path, field: "first_moment", "I32", category: .input)
  }

  @Test("the newest complete checkpoint wins, whatever lies beside it") func listing() throws {
    for name in ["step-99999999999999999999", "step--0000001", "step-6", "step-00000008.bak", "step-00000008", "step-"]
    {
      try File.makeFolder("\(run.checkpoints)/\(name)")
    }
    // A copy that did not come to its end, and a link that leads nowhere.
    try put([1], at: "\(run.checkpoint(step: 8))/model.safetensors")
    try put([1], at: "\(run.checkpoints)/step-00000009")
    try put(try File.read(state), at: "\(run.checkpoints)/step-6/trainer_state.json")
    #expect(try run.checkpointSteps() == [2, 4])
    let weights = try File.read("\(newest)/model.safetensors")
    try File.remove(newest)
    #expect(try train().steps == 4)
    #expect(try File.read("\(run.last)/model.safetensors") == weights)
    // A run that is done points its link at its checkpoint again.
    for target in ["step-00000077", nil] {
      try File.remove(run.last)
      if let target { try File.link(run.last, to: target) }
      #expect(try train().steps == 4)
      #expect(try File.read("\(run.last)/model.safetensors") == weights)
    }
    for step in [2, 4] { try File.remove("\(run.checkpoint(step: step))/trainer_state.json") }
    let metrics = try File.read(run.metrics)
    for resume in [true, false] {
      expectDiagnostic(saying: "is no complete checkpoint", "copy the checkpoint again") {
        _ = try train(resume: resume)
      }
    }
    #expect(try File.read(run.metrics) == metrics, "nothing of the run was begun anew")
  }

  @Test("a folder in place of a link is refused before any work") func copiedLinks() throws {
    try File.remove(run.last)
    try File.makeFolder(run.last)
    try expectRefusal(run.last, "is a folder, where a link", category: .input)
    #expect(File.isFolder(run.last))
  }

  @Test("a replay store that is not the run's own is refused") func replay() throws {
    let kept = world.folder.file("kept")
    try File.move(run.replay, to: kept)
    try expectRefusal(run.replay, "the last version is 0")
    try File.remove(run.replay)
    var other = try configuration()
    other.seed = 4
    _ = try Trainer.train(other, output: world.folder.file("other"), resume: false)
    try File.move(world.folder.file("other/replay"), to: run.replay)
    let said = #expect(throws: Diagnostic.self) { try train() }
    #expect(said?.file == run.replay, "\(String(describing: said))")
    try File.remove(run.replay)
    try File.move(kept, to: run.replay)
    #expect(try train().steps == 4)
  }

  @Test("a student that has diverged is not saved", arguments: [1e38, 1e15]) func diverged(rate: Double) throws {
    var settings = try configuration("steps: 1, batch_size: 2")
    settings.replay = nil
    settings.training.learningRate = rate
    let other = RunFolder(world.folder.file("diverged"))
    expectDiagnostic(.failure, field: "training.learning_rate", saying: "diverged: after step 1", "lower") {
      _ = try Trainer.train(settings, output: other.path, resume: false)
    }
    #expect(try other.checkpointSteps().isEmpty && !File.exists(other.last))
  }

  @Test("a checkpoint with damaged weights is no model to load either") func loading() throws {
    let weights = "\(newest)/model.safetensors"
    var evaluation = ModelEvaluation(model: newest, data: DataFiles(world.validation), format: RowFormat())
    _ = try evaluation.run()
    var bytes = try File.read(weights)
    bytes[bytes.count - 10] ^= 1
    try put(bytes, at: weights)
    expectDiagnostic(.failure, file: weights, saying: "with the checksum", "remove \(newest)/checksums.json") {
      _ = try evaluation.run()
    }
    // What is beside the weights may be changed with right, and so may they.
    try put(try File.read("\(newest)/config.json") + [10], at: "\(newest)/config.json")
    try File.remove("\(newest)/checksums.json")
    _ = try evaluation.run()
    try put(Array("{\"files\": 5}".utf8), at: "\(newest)/checksums.json")
    evaluation.limit = 2
    _ = try evaluation.run()
  }
}
