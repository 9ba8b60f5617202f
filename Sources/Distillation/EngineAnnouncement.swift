import Telemetry
import Tensor

/// Says once a process which matrix library, kernels and threads do the work: results and timings depend on them.
enum EngineAnnouncement {
  private static let line: Void = Log.info("engine: \(Engine.summary)")

  static func print() { line }
}
