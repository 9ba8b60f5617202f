import Files
import JSON
import Telemetry
import TestSupport
import Testing

@Suite("metrics.jsonl")
struct MetricsLogTests {
  private func append(_ steps: ClosedRange<Int>, to log: MetricsLog) throws {
    for step in steps {
      try log.append(["step": .integer(Int64(step)), "loss": .double(1 / Double(step))])
      if step % 2 == 0 { try log.append(["step": .integer(Int64(step)), "evaluation": ["nll": 2.5]]) }
    }
  }

  @Test(
    "of a run that was killed and resumed equals that of one that was not",
    arguments: ["", "{\"step\":7,\"lo", "garbage"])
  func resumed(torn: String) throws {
    let folder = try TemporaryFolder()
    let whole = try MetricsLog(path: folder.file("whole"), resumingAfter: nil)
    try append(1...8, to: whole)
    try append(1...6, to: MetricsLog(path: folder.file("resumed"), resumingAfter: nil))
    try AppendingFile(path: folder.file("resumed")).append(Array(torn.utf8))
    try append(5...8, to: MetricsLog(path: folder.file("resumed"), resumingAfter: 4))
    #expect(try File.read(folder.file("resumed")) == File.read(folder.file("whole")))
  }

  @Test("forgets what a step is going to tell again")
  func again() throws {
    let folder = try TemporaryFolder()
    let whole = try MetricsLog(path: folder.file("whole"), resumingAfter: nil)
    try append(1...6, to: whole)
    try append(1...6, to: MetricsLog(path: folder.file("resumed"), resumingAfter: nil))
    let log = try MetricsLog(path: folder.file("resumed"), resumingAfter: 4, without: "evaluation")
    try log.append(["step": 4, "evaluation": ["nll": 2.5]])
    try append(5...6, to: log)
    #expect(try File.read(folder.file("resumed")) == File.read(folder.file("whole")))
  }

  @Test("starts empty for a new run")
  func fresh() throws {
    let folder = try TemporaryFolder()
    for _ in 0..<2 { try append(1...1, to: MetricsLog(path: folder.file("m"), resumingAfter: nil)) }
    #expect(try File.read(folder.file("m")) == Array("{\"step\":1,\"loss\":1.0}\n".utf8))
  }

  @Test("writes null for what is not finite")
  func undefined() throws {
    let folder = try TemporaryFolder()
    let log = try MetricsLog(path: folder.file("m"), resumingAfter: 3)
    try log.append(["step": 1, "loss": .double(.nan)])
    try log.synchronize()
    #expect(try File.read(folder.file("m")) == Array("{\"step\":1,\"loss\":null}\n".utf8))
  }

  @Test("with a damaged line is refused by its number", arguments: ["{\"step\":\"two\"}", "{]", "[]", ""])
  func damaged(line: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("{\"step\":1}\n\(line)\n{\"step\":3}\n", to: "m")
    expectDiagnostic(file: path, line: 2) { _ = try MetricsLog(path: path, resumingAfter: 3) }
  }
}
