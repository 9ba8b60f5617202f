import Glibc
import Synchronization

/// Descriptors 0 to 2, which a caller may have closed, filled up or left without a reader.
///
/// The rules: no file of ours ever takes the place of a closed one; a log that nobody reads, or reads too slowly, never
/// ends or delays the work; a lost reader of results ends the process as it ends every Unix tool.
public enum StandardStreams {
  private static let pipesWereIgnored = Atomic(false)
  /// Whether the last text for standard error could not be written for lack of room.
  private static let isStuck = Atomic(false)

  /// Fills closed descriptors, and takes over what a pipe without a reader and a limit on file sizes would do. To be
  /// called before anything is opened.
  ///
  /// A closed descriptor becomes one that can only be read and holds nothing, so that writing results there is an error
  /// as before.
  public static func makeSafe() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
      // The lowest free number is this one, since those before it are open.
      if unsafe open("/dev/null", O_RDONLY) < 0 { _ = unsafe open("/", O_RDONLY | O_DIRECTORY) }
    }
    pipesWereIgnored.store(SignalAction.isIgnored(SIGPIPE), ordering: .relaxed)
    _ = signal(SIGPIPE, SIG_IGN)
    // A file that a size limit cuts off is an error like a full disk.
    _ = signal(SIGXFSZ, SIG_IGN)
  }

  /// Ends the process as one whose results nobody reads any more; returns where the caller had SIGPIPE ignored, so that
  /// the loss is to be told like any other error.
  public static func endUnread() {
    guard !pipesWereIgnored.load(ordering: .relaxed) else { return }
    _ = signal(SIGPIPE, SIG_DFL)
    SignalAction.unblock([SIGPIPE])
    raise(SIGPIPE)
  }

  /// True where a descriptor can be written to at all.
  public static func isWritable(_ descriptor: Int32) -> Bool {
    let flags = fcntl(descriptor, F_GETFL)
    return flags >= 0 && flags & O_ACCMODE != O_RDONLY
  }

  /// Waits until a descriptor takes more, for as long as that lasts.
  public static func waitForRoom(_ descriptor: Int32) {
    var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    _ = unsafe poll(&polled, 1, -1)
  }

  /// Waits until a descriptor takes more; false after `milliseconds`, at a signal that asks to stop, or where that
  /// cannot be told. A broken one counts as ready: the write then says what is wrong.
  static func waitForRoom(_ descriptor: Int32, milliseconds: Int32) -> Bool {
    var left = milliseconds
    while true {
      var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      let slice = min(left, 100)
      let count = unsafe poll(&polled, 1, slice)
      if count > 0 { return true }
      if count < 0 && errno != EINTR { return false }
      left -= slice
      if left <= 0 || Interruption.requested { return false }
    }
  }

  /// Writes a text to standard error where that is possible: what is closed, full or broken is passed over, and what
  /// does not take the text within some seconds is given up until it takes one at once.
  public static func writeError(_ bytes: [UInt8]) {
    let patience: Int32 = isStuck.load(ordering: .relaxed) ? 0 : 5_000
    // No more than a page at a time: a pipe that is ready has room for that, so the write cannot block.
    var offset = 0
    while offset < bytes.count {
      guard waitForRoom(STDERR_FILENO, milliseconds: patience) else { return isStuck.store(true, ordering: .relaxed) }
      let end = min(offset + 4096, bytes.count)
      let written = unsafe bytes.withUnsafeBytes {
        unsafe write(STDERR_FILENO, $0.baseAddress! + offset, end - offset)
      }
      if written < 0 && errno != EINTR && errno != EAGAIN { return }
      offset += max(0, written)
    }
    isStuck.store(false, ordering: .relaxed)
  }

  /// Writes a fixed text to standard error where that takes no waiting; may be called in a signal handler.
  static func writeNote(_ text: StaticString) {
    var polled = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
    guard unsafe poll(&polled, 1, 0) > 0 else { return }
    _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
  }
}

/// What a process does at a signal, as far as its caller decided it.
enum SignalAction {
  /// True where the caller arranged that a signal does nothing, as `nohup` does with SIGHUP.
  static func isIgnored(_ number: Int32) -> Bool {
    var current = sigaction()
    guard unsafe sigaction(number, nil, &current) == 0 else { return false }
    return unsafe unsafeBitCast(current.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  static func unblock(_ numbers: [Int32]) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in numbers { unsafe sigaddset(&set, number) }
    unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }
}
