import Diagnostics
import Glibc
package import Replay
import Telemetry

/// Who writes the versions of a run's rounds. Whoever it is, they are the same.
package enum RoundVersions {
  /// The run itself.
  case written(RoundWriter, in: ReplayStore)
  /// Another process, which reads the checkpoints of a run's folder.
  case awaited(in: ReplayStore, of: RunFolder)

  /// A version that is due: one that another process writes is waited for.
  ///
  /// - Throws: a `Diagnostic` where the run's own is gone, or one is damaged; `Interrupted` while it waits.
  func version(_ number: Int) throws -> ReplayVersion {
    switch self {
    case .written(_, let store):
      if let version = try store.version(number) { return version }
      throw Diagnostic.failure(
        "version \(number), which the run has published, is not there", file: store.directory,
        remedy: "put the run's own replay folder back, or choose another `output`")
    case .awaited(let store, let run):
      return try Waiting.until(
        "waits for version \(number) of what the student writes, which `decant replay follow \(run.path)` publishes"
      ) { try store.version(number) }
    }
  }

  /// Whether one of some versions has not been published by another process yet.
  func areAwaited(_ numbers: Range<Int>) throws -> Bool {
    guard case .awaited(let store, _) = self else { return false }
    return try store.latest()?.number ?? 0 < numbers.upperBound - 1
  }
}

/// Waiting for another process.
package enum Waiting {
  /// Asks ten times a second until there is a value; where it is not there at once, the log says so.
  ///
  /// - Throws: `Interrupted` where a signal asks to stop, and what `value` throws.
  package static func until<Value>(_ notice: @autoclosure () -> String, _ value: () throws -> Value?) throws -> Value {
    if let value = try value() { return value }
    Log.info(notice())
    while true {
      try Interruption.check()
      usleep(100_000)
      if let value = try value() { return value }
    }
  }
}
