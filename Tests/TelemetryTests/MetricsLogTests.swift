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

  @Test(
    "with a damaged line is refused by its number",
    arguments: ["{\"step\":\"two\"}", "{\"step\":-1}", "{\"step\":1e40}", "{]", "[]", "", "\0\0"])
  func damaged(line: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("{\"step\":1}\n\(line)\n{\"step\":3}\n", to: "m")
    expectDiagnostic(file: path, line: 2) { _ = try MetricsLog(path: path, resumingAfter: 3) }
  }

  @Test("with a step that comes too early is refused, not cut there")
  func misplaced() throws {
    let folder = try TemporaryFolder()
    func refusal(_ steps: [Int], line: Int) throws {
      let path = try folder.write(steps.map { "{\"step\":\($0)}\n" }.joined(), to: "m")
      let before = try File.read(path)
      expectDiagnostic(file: path, line: line, field: "step", saying: "mend the line") {
        _ = try MetricsLog(path: path, resumingAfter: 6)
      }
      #expect(try File.read(path) == before)
    }
    try refusal([1, 2, 33, 4, 5, 6], line: 3)
    try refusal([1, 5, 3, 4, 6, 7], line: 2)
    try refusal([7, 1, 2], line: 1)
  }

  @Test(
    "says what it lacks where it was lost or cut short",
    arguments: [(0, 5, nil), (4, 5, "ends at step 4"), (4, 3, nil)])
  func gap(last: Int, every: Int, says: String?) throws {
    let folder = try TemporaryFolder()
    let lost = try MetricsLog(path: folder.file("none"), resumingAfter: 7)
    #expect(lost.gap(before: 7, every: 5)?.contains("is missing or empty where the run is at step 7") == true)
    #expect(lost.gap(before: 4, every: 5) == nil && lost.gap(before: 0, every: 1) == nil)
    guard last > 0 else { return }
    let path = try folder.write((1...last).map { "{\"step\":\($0)}\n" }.joined(), to: "m")
    let log = try MetricsLog(path: path, resumingAfter: 5)
    #expect(log.gap(before: 5, every: every).map { $0.contains(says ?? "-") } ?? (says == nil))
  }
}
