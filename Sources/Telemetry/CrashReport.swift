import Diagnostics
import Glibc

/// What a process says when it dies of a defect or of memory that ran out: who it is, and where to turn.
public enum CrashReport {
  private static let signals = [SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS]

  /// A text that a signal handler may write: made beforehand, never freed.
  @safe private struct Note: @unchecked Sendable {
    // Sendable: written to once, before anybody reads it.
    private let bytes: UnsafePointer<UInt8>
    private let count: Int

    init(_ text: String) {
      let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
      _ = unsafe copy.initialize(from: text.utf8)
      unsafe bytes = UnsafePointer(copy.baseAddress!)
      count = text.utf8.count
    }

    func write() { _ = unsafe Glibc.write(STDERR_FILENO, bytes, count) }
  }

  private struct Notes {
    let defect, file, memory: Note
    /// What the Swift runtime would do, where its backtrace is asked for.
    var before: [Int32: sigaction] = [:]
  }

  /// Set once, before the handlers that read it are there.
  nonisolated(unsafe) private static var notes: Notes?

  /// Installs the handlers.
  ///
  /// They take the place of the Swift runtime's, which starts a debugger; `SWIFT_BACKTRACE`, where it is set, has both.
  ///
  /// - Parameter work: The program, its version and its verb, such as `decant 0.1.0 train`.
  public static func install(for work: String) {
    let report = "please report it with the command line and the lines above"
    var made = Notes(
      defect: Note(
        """

        \(work): died of a defect of the program; what it wrote before is whole, and the same command may go on from there
          remedy: \(report); SWIFT_BACKTRACE=enable=yes in the environment adds where it happened

        """),
      file: Note(
        """

        \(work): a file became unreadable while it was in use: it was cut short, its disk failed, or the disk is full
          remedy: check the files and the disk, and run the same command again

        """),
      memory: Note(
        """

        \(work): memory ran out
          remedy: \(Diagnostic.memoryRemedy)

        """))
    let wantsBacktrace =
      unsafe getenv("SWIFT_BACKTRACE").map { unsafe String(cString: $0) }?.contains("enable=yes") == true
    stack()
    let wanted = signals.filter { !SignalAction.isIgnored($0) }
    for number in wanted where wantsBacktrace {
      var before = sigaction()
      if unsafe sigaction(number, nil, &before) == 0 { made.before[number] = before }
    }
    unsafe notes = made
    for number in wanted {
      var ours = sigaction()
      unsafe ours.__sigaction_handler.sa_handler = handle
      ours.sa_flags = Int32(SA_ONSTACK) | Int32(SA_NODEFER)
      unsafe sigaction(number, &ours, nil)
    }
  }

  /// A stack of its own for the handler: the main one may be what ran out.
  private static func stack() {
    let size = 64 << 10
    var alternate = unsafe stack_t(
      ss_sp: UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16), ss_flags: 0, ss_size: size)
    unsafe sigaltstack(&alternate, nil)
  }

  /// Runs inside a signal handler.
  private static let handle: @convention(c) (Int32) -> Void = { number in
    // Of the call that failed last: the allocation, where that is why the runtime gave up.
    let code = errno
    _ = signal(number, SIG_DFL)
    guard let notes = unsafe notes else { return }
    if code == ENOMEM && number != SIGSEGV && number != SIGBUS {
      notes.memory.write()
      _exit(1)
    }
    (number == SIGBUS ? notes.file : notes.defect).write()
    if var before = notes.before[number] { unsafe sigaction(number, &before, nil) }
    raise(number)
  }
}
