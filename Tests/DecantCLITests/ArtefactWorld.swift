import Files
import Fingerprints
import Fixtures
import TestSupport
import Testing

/// A small world with one of every artefact, to be attacked with bad input, and the means to break copies of its parts.
struct ArtefactWorld {
  private let world: TinyWorld
  var folder: String { world.folder.path }
  var teacher: String { world.teacher }
  var student: String { world.student }
  /// Files of rows.
  var training: String { world.train }
  var validation: String { world.validation }
  /// What must stay as it is, whatever input comes.
  var cache: String { file("cache") }
  var run: String { file("run") }
  var answers: String { file("answers.jsonl") }
  var replay: String { file("replay") }

  init(rows: Int = 12) throws {
    world = try TinyWorld(rows: rows)
    for words in [
      precompute(), try train(configuration(), output: "run"), generate(),
      [
        "regenerate", "--student", world.student, "--teacher", world.teacher, "--data", world.validation, "--replay",
        replay, "--top-k", "8", "--max-new-tokens", "8",
      ],
    ] { try DecantProcess.run(words, in: folder) }
  }

  /// The path of an entry of the world's folder.
  func file(_ name: String) -> String { world.folder.file(name) }

  /// Writes a file into the world's folder and returns its path.
  func write(_ bytes: [UInt8], to name: String) throws -> String { try world.folder.write(bytes, to: name) }

  func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

  // MARK: Command lines

  func precompute(teacher: String? = nil, data: String? = nil, _ more: String...) -> [String] {
    ["precompute", "--teacher", teacher ?? world.teacher, "--data", data ?? world.train, "--cache", cache]
      + ["--top-k", "8"] + more
  }

  func generate(model: String? = nil, data: String? = nil, _ more: String...) -> [String] {
    ["generate", "--model", model ?? world.student, "--data", data ?? world.validation, "--output", answers]
      + ["--max-new-tokens", "8"] + more
  }

  /// A training run of the text of a configuration.
  func train(
    _ text: String, as name: String = "train.yaml", output: String = "other", _ more: String...
  ) throws -> [String] {
    let path = try write(text, to: name)
    return ["train", "--config", path, "--output", file(output)] + more
  }

  /// The text of a configuration that trains, with one part of it replaced.
  func configuration(_ part: String = "", by replacement: String = "") -> String {
    let text = """
      seed: 5
      student: {from: \(world.student)}
      teacher:
        cache: \(cache)
      data:
        train: \(world.train)
        template: plain
      objective: {name: skl}
      training:
        steps: 2
        batch_size: 4

      """
    guard !part.isEmpty else { return text }
    precondition(text.contains(part), "the configuration has no '\(part)' to break")
    return text.replacing(part, with: replacement)
  }

  // MARK: Broken copies

  /// A copy of the teacher with one of its files changed (removed where `edit` gives nil); returns its folder.
  func broken(_ file: String, as name: String, edit: ([UInt8]) -> [UInt8]?) throws -> String {
    let copy = self.file(name)
    try File.makeFolder(copy)
    for entry in try File.list(world.teacher) {
      let bytes = try File.read("\(world.teacher)/\(entry)")
      if let kept = entry == file ? edit(bytes) : bytes { _ = try write(kept, to: "\(name)/\(entry)") }
    }
    return copy
  }

  /// A copy of the teacher with a text in one of its files replaced.
  func broken(_ file: String, as name: String, _ text: String, by replacement: String) throws -> String {
    try broken(file, as: name) { bytes in
      let before = String(decoding: bytes, as: UTF8.self)
      precondition(before.contains(text), "\(file) has no '\(text)' to break")
      return Array(before.replacing(text, with: replacement).utf8)
    }
  }

  /// A file of rows: the world's own and the given lines after them.
  func rows(_ lines: String..., as name: String = "rows.jsonl", alone: Bool = false) throws -> String {
    let before = alone ? [] : try File.read(world.train)
    return try write(before + Array(lines.joined(separator: "\n").utf8), to: name)
  }

  // MARK: Harm

  /// Fingerprint of every file of every artefact; locks and holds of readers are left out.
  func contents() throws -> [String: Fingerprint] {
    var found: [String: Fingerprint] = [:]
    for artefact in [cache, run, answers, replay] { try Self.collect(artefact, into: &found) }
    return found
  }

  private static func collect(_ path: String, into found: inout [String: Fingerprint]) throws {
    if File.isFolder(path) {
      for name in try File.list(path) { try collect("\(path)/\(name)", into: &found) }
    } else if !path.hasSuffix("lock") && !path.hasSuffix("lock.mdb") && !path.contains("/pins/") {
      found[path] = Fingerprint(of: try File.read(path))
    }
  }

  /// Runs each case and expects its exit status, its words on standard error, and every artefact as it was.
  func expect(_ cases: [BadInput], sourceLocation: SourceLocation = #_sourceLocation) throws {
    let before = try contents()
    for bad in cases {
      let result = try DecantProcess(bad.words, in: folder).wait()
      var faults = bad.says.filter { !result.errors.contains($0) }.map { "does not say '\($0)'" }
      if result.status != bad.status { faults.append("ends with \(result.status), not \(bad.status)") }
      if bad.hasRemedy && !result.errors.contains("\n  remedy: ") { faults.append("has no remedy") }
      let after = try contents()
      faults += before.keys.filter { before[$0] != after[$0] }.map { "changed \($0)" }
      faults += after.keys.filter { before[$0] == nil }.map { "left \($0)" }
      if !faults.isEmpty {
        Issue.record("\(bad.name): \(faults.joined(separator: "; "))\n\(result.errors)", sourceLocation: sourceLocation)
      }
    }
  }
}

/// A way to get it wrong: a command line, and how the program must end.
struct BadInput {
  /// What is broken.
  var name: String
  var words: [String]
  var status: Int32 = 2
  /// Parts of the message: the file, the line or field, the offending value, the remedy.
  var says: [String]
  /// False where the message says all there is to do.
  var hasRemedy = true

  init(_ name: String, _ words: [String], status: Int32 = 2, says: String..., hasRemedy: Bool = true) {
    self.name = name
    self.words = words
    self.status = status
    self.says = says
    self.hasRemedy = hasRemedy
  }
}
