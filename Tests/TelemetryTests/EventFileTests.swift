import Files
import Telemetry
import TestSupport
import Testing

@Suite("An event file")
struct EventFileTests {
  @Test("is what TensorBoard's own writer makes of the same events")
  func golden() throws {
    let folder = try TemporaryFolder()
    let events = try EventFile(folder: folder.file("events"), resumingAfter: 300, wallTime: { 1_700_000_000.25 })
    try events.append(step: 301, [("train/loss", 1.93), ("train/learning_rate", 5e-4)])
    try events.append(step: 70_000, [("evaluation/nll", -0.5)])
    try events.synchronize()
    let golden = "\(SharedData.packageRoot)/Tests/TelemetryTests/Golden/events.tfevents"
    #expect(try File.read(events.path) == File.read(golden))
  }

  @Test("has a name of its own, in the order of time")
  func names() throws {
    let folder = try TemporaryFolder()
    let paths = try [1.0, 1.0, 2.0].map { time in try EventFile(folder: folder.path, wallTime: { time }).path }
    #expect(Set(paths).count == 3 && paths == paths.sorted())
    #expect(paths.allSatisfy { $0.contains("events.out.tfevents.") })
  }
}
