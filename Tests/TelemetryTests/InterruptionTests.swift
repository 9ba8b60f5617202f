import Glibc
import Telemetry
import Testing

@Suite("An interruption")
struct InterruptionTests {
  @Test("is noted at the first signal")
  func noted() async {
    await #expect(processExitsWith: .exitCode(7)) {
      Interruption.install()
      guard !Interruption.requested else { exit(1) }
      exit(signalAndWait(SIGTERM) ? 7 : 1)
    }
  }

  @Test("ends the process at another signal from the keyboard or a scheduler")
  func final() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      Interruption.install()
      guard signalAndWait(SIGTERM) else { exit(1) }
      kill(getpid(), SIGINT)
      sleep(10)
    }
  }

  @Test("is one wish where a signal comes twice at once, or after a warning")
  func doubled() async {
    await #expect(processExitsWith: .exitCode(7)) {
      Interruption.install()
      for number in [SIGUSR1, SIGHUP, SIGHUP, SIGTERM, SIGTERM] {
        guard signalAndWait(number) else { exit(1) }
      }
      usleep(50_000)
      exit(7)
    }
  }

  @Test("is noted at a terminal's end and at a scheduler's warning", arguments: [SIGHUP, SIGUSR1])
  func warnings(number: Int32) async {
    await #expect(processExitsWith: .exitCode(7)) { [number] in
      Interruption.install()
      exit(signalAndWait(number) ? 7 : 1)
    }
  }

  @Test("respects that the caller had a signal ignored")
  func ignored() async {
    await #expect(processExitsWith: .exitCode(7)) {
      _ = signal(SIGHUP, SIG_IGN)
      Interruption.install()
      kill(getpid(), SIGHUP)
      usleep(50_000)
      exit(!Interruption.requested && signalAndWait(SIGTERM) ? 7 : 1)
    }
  }

  @Test("ends the process at once, with the status of a stop, where there is nothing to keep")
  func idle() async {
    await #expect(processExitsWith: .exitCode(75)) {
      Interruption.install()
      try Interruption.endingAtOnce {
        kill(getpid(), SIGTERM)
        sleep(10)
      }
    }
    await #expect(processExitsWith: .exitCode(7)) {
      Interruption.install()
      guard signalAndWait(SIGTERM) else { exit(1) }
      do { try Interruption.endingAtOnce { exit(2) } } catch is Interrupted { exit(7) }
    }
  }
}

/// Sends this process a signal, which any of its threads may take, and waits until it has been noted.
private func signalAndWait(_ number: Int32) -> Bool {
  kill(getpid(), number)
  for _ in 0..<1000 where !Interruption.requested { usleep(10_000) }
  return Interruption.requested
}
