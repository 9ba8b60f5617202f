import Configuration
import Diagnostics
import JSON
import TestSupport
import Testing

@Suite("A configuration")
struct ConfigurationFileTests {
  private func decoded(_ text: String, _ overrides: String...) throws -> Run {
    var file = try ConfigurationFile(text: text, path: "run.yaml")
    for override in overrides { try file.set(override) }
    return try file.decode(Run.self)
  }

  private func edited(_ old: String, _ new: String) -> String {
    precondition(example.contains(old), "the example has no '\(old)'")
    return example.replacing(old, with: new)
  }

  @Test("is read by the types it is asked for as")
  func values() throws {
    let run = try decoded(example)
    #expect(run.name == "first" && run.labels == ["x": -1, "y": 2])
    #expect(run.stages == [Stage(path: "a.jsonl", weight: 1), Stage(path: "true", weight: 0.5)])
    let training = run.training
    #expect(training.learningRate == 1e-4 && training.epochs == 3 && training.schedule == .cosine)
    #expect(!training.shuffle && training.weightDecay == 0.01 && training.seed == .max)
    #expect(
      run.model?.value == [
        "layers": 2, "scale": 0.5, "tied": true, "note": "2", "window": nil, "sizes": [1, 2],
      ])
  }

  @Test("may begin with a byte order mark, and is refused by what it is in another encoding")
  func encodings() throws {
    #expect(try ConfigurationFile(text: "\u{FEFF}a: 1\r\n", path: "run.yaml").root["a"] != nil)
    for bytes: [UInt8] in [[0xFF, 0xFE, 0x61, 0, 0x3A, 0], [0x61, 0, 0x3A, 0, 0x31, 0]] {
      expectDiagnostic(file: "run.yaml", saying: "UTF-16", "iconv") {
        _ = try ConfigurationFile(bytes: bytes, path: "run.yaml")
      }
    }
  }

  @Test("has overrides of as many levels as a configuration may have, and no more")
  func deepOverrides() throws {
    var file = try ConfigurationFile(text: "", path: "run.yaml")
    try file.set(Array(repeating: "a", count: 60).joined(separator: ".") + "=1")
    expectDiagnostic(saying: "100000 levels deep") {
      try file.set(Array(repeating: "a", count: 100_000).joined(separator: ".") + "=1")
    }
  }

  @Test(
    "is refused with line, path and remedy where a value or key is wrong",
    arguments: [
      ("epochs: 3", "epoch: 3", 5, "training.epoch", "did you mean 'epochs'?"),
      ("epochs: 3", "batch: 3", 5, "training.batch", "known here: epochs, learning_rate, schedule"),
      ("learning_rate: 1e-4", "learning-rate: 1e-4", 4, "training.learning_rate", "rename 'learning-rate'"),
      ("epochs: 3", "epochs: many", 5, "training.epochs", "'many' is not a whole number"),
      ("epochs: 3", "epochs: 03", 5, "training.epochs", "'03' is not a whole number"),
      ("epochs: 3", "epochs: \"3\"", 5, "training.epochs", "the quoted text '3' is not a whole number"),
      ("epochs: 3", "epochs: 101", 5, "training.epochs", "is 101, but must be from 1 to 100"),
      ("epochs: 3", "epochs: 3.0", 5, "training.epochs", "'3.0' is not a whole number"),
      ("epochs: 3", "epochs: [3]", 5, "training.epochs", "is a list, but must be a whole number"),
      ("epochs: 3", "epochs: 13", 7, "training.seed", "must be given for 13 epochs"),
      ("3\n  shuffle: false\n  seed: 18446744073709551615", "13", 4, "training.seed", "must be given for 13 epochs"),
      (
        "seed: 18446744073709551615", "seed: 18446744073709551616", 7, "training.seed", "from 0 to 18446744073709551615"
      ),
      ("learning_rate: 1e-4", "learning_rate: 0", 4, "training.learning_rate", "is 0.0, but must be above 0.0"),
      ("learning_rate: 1e-4", "learning_rate:", 4, "training.learning_rate", "is null, but must be a finite number"),
      ("learning_rate: 1e-4", "learning_rate: .nan", 4, "training.learning_rate", "'.nan' is not a finite number"),
      ("learning_rate: 1e-4", "learning_rate: 0x1p3", 4, "training.learning_rate", "is not a finite number"),
      ("shuffle: false", "shuffle: no", 6, "training.shuffle", "'no' is not true or false"),
      ("epochs: 3", "schedule: cosin", 5, "training.schedule", "did you mean 'cosine'?"),
      ("epochs: 3", "schedule: constant\n  weight_decay: 0.6", 6, "training.weight_decay", "is too much"),
      ("{path: 'true', weight: .5}", "{path: 'true'}", 11, "stages[1].weight", "is missing"),
      ("weight: 1", "wait: 1", 9, "stages[0].weight", "is missing"),
      ("{path: 'true', weight: .5}", "text", 11, "stages[1]", "is 'text', but must be a mapping"),
      ("labels: {x: -1, y: 2}", "labels: 3", 12, "labels", "is '3', but must be a mapping"),
      ("y: 2", "y: two", 12, "labels.y", "'two' is not a whole number"),
      ("name: \"first\"", "name: [a]", 2, "name", "is a list, but must be a text"),
    ])
  func refusals(old: String, new: String, line: Int, field: String, message: String) {
    expectDiagnostic(file: "run.yaml", line: line, field: field, saying: message) {
      _ = try decoded(edited(old, new))
    }
  }

  @Test(
    "is refused with its line where it is not the YAML of configurations",
    arguments: [
      ("epochs: 3", "epochs: &three 3", 5, "anchors are not supported"),
      ("epochs: 3", "epochs: *three", 5, "aliases are not supported"),
      ("epochs: 3", "<<: {epochs: 3}", 5, "merge keys are not supported"),
      ("epochs: 3", "epochs: !!int 3", 5, "tags are not supported"),
      ("epochs: 3", "learning_rate: 3", 5, "'learning_rate' was given already on line 4"),
      ("epochs: 3", "[a]: 3", 5, "a key must be a plain word"),
      ("epochs: 3", "\tepochs: 3", 5, "is not YAML"),
      ("name: \"first\"", "name: \"first", 17, "is not YAML"),
      ("name: \"first\"", "name: first\n---", 3, "a second document"),
      ("name: \"first\"", "name: \u{7}", 2, "is not YAML: control characters"),
    ])
  func syntax(old: String, new: String, line: Int, message: String) {
    expectDiagnostic(file: "run.yaml", line: line, saying: message) { _ = try decoded(edited(old, new)) }
  }

  @Test("is refused where it is no mapping, too deep, or no text")
  func shapes() throws {
    expectDiagnostic(line: 1, saying: "a list") { _ = try ConfigurationFile(text: "[1]", path: "f") }
    expectDiagnostic(line: 1, saying: "'x'") { _ = try ConfigurationFile(text: "x", path: "f") }
    let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
    expectDiagnostic(saying: "deeper than 64") { _ = try ConfigurationFile(text: "a: \(deep)", path: "f") }
    expectDiagnostic(line: 2, saying: "UTF-8") { _ = try ConfigurationFile(bytes: [97, 58, 10, 0xff], path: "f") }
    for empty in ["", "# nothing", "---", "{}"] {
      #expect(try ConfigurationFile(text: empty, path: "f").root == ConfigurationFile(text: "{}", path: "f").root)
    }
  }

  @Test("takes overrides, which make what is missing")
  func overrides() throws {
    let run = try decoded(
      "training: {learning_rate: 1}", "name=x=y", "training.learning_rate=2.5", "labels.a=7", "model.sizes=[1, {b: c}]",
      "training.seed=", "stages=[{path: p, weight: 1}]", "stages.0.weight=2")
    #expect(run.name == "x=y" && run.training.learningRate == 2.5 && run.labels == ["a": 7])
    #expect(run.training.seed == nil && run.stages == [Stage(path: "p", weight: 2)])
    #expect(run.model?.value == ["sizes": [1, ["b": "c"]]])
  }

  @Test(
    "names the override that is wrong",
    arguments: [
      ("training.epochs", "has no '='"), ("training..epochs=1", "has an empty key"), ("=1", "has an empty key"),
      ("training.epochs=x", "'x' is not a whole number"), ("training.epoch=1", "did you mean 'epochs'?"),
      ("name.first=1", "name.first: cannot be set inside 'first'"), ("stages.2.path=x", "not an index of a list of 2"),
      ("name=[", "is not YAML"),
    ])
  func wrongOverrides(override: String, message: String) {
    let thrown = expectDiagnostic(file: "--set \(override)", saying: message) { _ = try decoded(example, override) }
    #expect(thrown?.line == nil)
  }

  @Test("written out with its defaults reads back as the same value")
  func resolved() throws {
    let run = try decoded(example)
    let text = try ConfigurationFile.text(of: run)
    #expect(try decoded(text) == run)
    #expect(text.contains("schedule: cosine\n") && text.contains("sizes: [1, 2]\n") && text.contains("note: \"2\"\n"))
  }
}
