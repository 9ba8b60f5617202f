import Glibc
import Telemetry
import Testing

@Suite("Standard streams")
struct StandardStreamsTests {
  @Test("that were closed are filled, so that no file takes their place")
  func filled() async {
    await #expect(processExitsWith: .exitCode(7)) {
      for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { close(descriptor) }
      StandardStreams.makeSafe()
      // What was closed for writing cannot be written to.
      let isWritable = StandardStreams.isWritable(STDOUT_FILENO) || StandardStreams.isWritable(STDERR_FILENO)
      exit(nextDescriptor() > STDERR_FILENO && !isWritable ? 7 : 1)
    }
  }

  @Test("without a reader: a log goes on")
  func logs() async {
    await #expect(processExitsWith: .exitCode(7)) {
      StandardStreams.makeSafe()
      breakPipe(under: STDERR_FILENO)
      for _ in 0..<3 { Log.info("nobody hears this") }
      exit(7)
    }
  }

  @Test("without a reader: results end the process by SIGPIPE")
  func results() async {
    await #expect(processExitsWith: .signal(SIGPIPE)) {
      _ = signal(SIGPIPE, SIG_DFL)
      StandardStreams.makeSafe()
      StandardStreams.endUnread()
      exit(1)
    }
  }

  @Test("without a reader: results are an error where the caller had SIGPIPE ignored")
  func told() async {
    await #expect(processExitsWith: .exitCode(7)) {
      _ = signal(SIGPIPE, SIG_IGN)
      StandardStreams.makeSafe()
      StandardStreams.endUnread()
      exit(7)
    }
  }

  @Test("with a reader that does not read: a log is given up, and a signal still heard")
  func full() async {
    await #expect(processExitsWith: .exitCode(7)) {
      StandardStreams.makeSafe()
      Interruption.install()
      fillPipe(under: STDERR_FILENO)
      kill(getpid(), SIGTERM)
      for _ in 0..<1000 where !Interruption.requested { usleep(10_000) }
      for _ in 0..<100 { Log.info("nobody reads this") }
      exit(Interruption.requested ? 7 : 1)
    }
  }
}

/// Puts a pipe whose reader has gone in a descriptor's place.
private func breakPipe(under descriptor: Int32) {
  var ends: [Int32] = [0, 0]
  _ = unsafe pipe(&ends)
  dup2(ends[1], descriptor)
  close(ends[0])
  close(ends[1])
}

/// Puts a pipe that takes no more in a descriptor's place.
private func fillPipe(under descriptor: Int32) {
  var ends: [Int32] = [0, 0]
  _ = unsafe pipe(&ends)
  dup2(ends[1], descriptor)
  _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  let page = [UInt8](repeating: 0x20, count: 4096)
  while unsafe write(descriptor, page, page.count) > 0 {}
  _ = fcntl(descriptor, F_SETFL, 0)
}

/// The number that the next file gets.
private func nextDescriptor() -> Int32 { unsafe open("/dev/null", O_WRONLY) }
