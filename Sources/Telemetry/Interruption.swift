import Diagnostics
import Glibc
import Synchronization

/// A polite stop: SIGINT, SIGTERM, SIGHUP or SIGUSR1 sets a flag that long jobs look at between steps, batches and
/// tokens; a SIGINT or SIGTERM that comes again ends the process at once.
public enum Interruption {
  /// What asks for a stop: the keyboard, a scheduler, a terminal that goes away, a warning before the time is up.
  static let signals = [SIGINT, SIGTERM, SIGHUP, SIGUSR1]

  private static let flag = Atomic(false)
  /// How many jobs are at a place where nothing is lost by ending at once.
  private static let idle = Atomic(0)
  /// The first SIGINT or SIGTERM, and when it came, in nanoseconds.
  private static let first = Atomic<Int32>(0)
  private static let firstTime = Atomic<Int64>(0)

  /// How many times jobs may still look before a stop is made up; none is where negative.
  private static let looksLeft = Atomic(-1)

  /// True once a signal has come.
  public static var requested: Bool {
    if looksLeft.load(ordering: .relaxed) >= 0, looksLeft.subtract(1, ordering: .relaxed).newValue < 0 {
      flag.store(true, ordering: .relaxed)
    }
    return flag.load(ordering: .relaxed)
  }

  /// Forgets a signal, and makes one up at the look that follows `count` others, never where nil: for tests that stop a
  /// job at each place in turn, in a process of their own.
  package static func request(afterLooks count: Int?) {
    flag.store(false, ordering: .relaxed)
    looksLeft.store(count ?? -1, ordering: .relaxed)
  }

  /// Throws ``Interrupted`` once a signal has come.
  public static func check() throws { if requested { throw Interrupted() } }

  /// Installs the handlers; only for a process whose job looks at ``requested``.
  ///
  /// A signal that the caller had ignored stays ignored: so do `nohup` and a shell's background job ask for it. One that
  /// the caller had blocked is let through: a mask is handed down by accident, from a parent that starts processes from
  /// a worker thread, and a blocked signal would never arrive.
  public static func install() {
    // Touched here, so that the handler never runs a global's initialiser.
    flag.store(false, ordering: .relaxed)
    first.store(0, ordering: .relaxed)
    firstTime.store(0, ordering: .relaxed)
    _ = (idle.load(ordering: .relaxed), stoppedStatus)
    let wanted = signals.filter { !SignalAction.isIgnored($0) }
    for number in wanted { _ = signal(number, handle) }
    SignalAction.unblock(wanted)
  }

  /// Runs what comes before the work, such as loading a model or reading rows: it may take long and leaves nothing to
  /// keep, so a signal ends the process at once, with the exit status of every stop.
  ///
  /// - Throws: ``Interrupted`` where a signal has come already, and what `body` throws.
  public static func endingAtOnce<Output>(_ body: () throws -> Output) throws -> Output {
    idle.add(1, ordering: .sequentiallyConsistent)
    defer { idle.subtract(1, ordering: .sequentiallyConsistent) }
    try check()
    return try body()
  }

  /// Of a stop, kept where the handler may read it.
  private static let stoppedStatus = Diagnostic.stopped("").exitStatus

  /// Runs inside a signal handler: atomics, a clock, a write and another signal are all it may touch.
  private static let handle: @convention(c) (Int32) -> Void = { number in
    let code = errno
    defer { errno = code }
    let isForce = number == SIGINT || number == SIGTERM
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    let now = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    if isForce {
      let before = first.load(ordering: .relaxed)
      // timeout(1) and the like send the same signal to a process and to its group: that is one wish, not two.
      if before != 0 && (before != number || now - firstTime.load(ordering: .relaxed) > 1_000_000_000) {
        _ = signal(number, SIG_DFL)
        raise(number)
        return
      }
      if before == 0 {
        first.store(number, ordering: .relaxed)
        firstTime.store(now, ordering: .relaxed)
      }
    }
    let isFirst = !flag.exchange(true, ordering: .sequentiallyConsistent)
    if idle.load(ordering: .sequentiallyConsistent) > 0 {
      StandardStreams.writeNote("\nstopped by a signal before there was anything to keep; run the same command again\n")
      _exit(stoppedStatus)
    }
    if isFirst {
      StandardStreams.writeNote("\nstopping after this step; a second signal, later, stops at once\n")
    }
  }
}

/// Leaves a job from inside when a signal has come.
public struct Interrupted: Error {
  public init() {}
}
