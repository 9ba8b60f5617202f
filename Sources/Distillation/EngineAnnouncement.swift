import Synchronization
import Telemetry
import Tensor

/// Says which matrix library, kernels and threads do the work, and in what precision: results and timings depend on them.
enum EngineAnnouncement {
  private static let said = Mutex<Set<Precision>>([])

  /// Once a process for each precision.
  static func print(_ precision: Precision) {
    guard said.withLock({ $0.insert(precision).inserted }) else { return }
    Log.info("engine: \(Engine.summary), \(Engine.describe(precision))")
  }
}
