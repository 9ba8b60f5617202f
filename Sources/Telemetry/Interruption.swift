import Glibc
import Synchronization

/// A polite stop: the first SIGINT or SIGTERM sets a flag that long jobs look at between steps, the second one ends the
/// process at once.
public enum Interruption {
  private static let flag = Atomic(false)

  /// True once a signal has come.
  public static var requested: Bool { flag.load(ordering: .relaxed) }

  /// Installs the handlers for SIGINT and SIGTERM; only for a process whose job looks at ``requested``.
  public static func install() {
    // Touched here, so that the handler never runs a global's initialiser.
    flag.store(false, ordering: .relaxed)
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in [SIGINT, SIGTERM] {
      _ = signal(number, handle)
      unsafe sigaddset(&set, number)
    }
    // A parent that starts processes from a worker thread hands its blocked signals down; a blocked one never arrives.
    unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  /// Runs inside a signal handler: an atomic, a write and another signal are all it may touch.
  private static let handle: @convention(c) (Int32) -> Void = { number in
    if flag.exchange(true, ordering: .relaxed) {
      _ = signal(number, SIG_DFL)
      raise(number)
      return
    }
    let note: StaticString = "\nstopping after this step; the same signal again stops at once\n"
    _ = unsafe write(STDERR_FILENO, note.utf8Start, note.utf8CodeUnitCount)
  }
}
