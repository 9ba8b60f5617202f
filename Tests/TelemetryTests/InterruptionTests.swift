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

  @Test("ends the process at the second signal")
  func final() async {
    await #expect(processExitsWith: .signal(SIGINT)) {
      Interruption.install()
      guard signalAndWait(SIGTERM) else { exit(1) }
      kill(getpid(), SIGINT)
      sleep(10)
    }
  }
}

/// Sends this process a signal, which any of its threads may take, and waits until it has been noted.
private func signalAndWait(_ number: Int32) -> Bool {
  kill(getpid(), number)
  for _ in 0..<1000 where !Interruption.requested { usleep(10_000) }
  return Interruption.requested
}
