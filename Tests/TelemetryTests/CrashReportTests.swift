import Glibc
import Telemetry
import Testing

@Suite("A crash report")
struct CrashReportTests {
  @Test("names the program, and the signal still ends the process")
  func defect() async {
    let result = await #expect(processExitsWith: .signal(SIGSEGV), observing: [\.standardErrorContent]) {
      CrashReport.install(for: "decant 9.8 train")
      raise(SIGSEGV)
    }
    expect(result, says: "decant 9.8 train: died of a defect", "report it")
  }

  @Test("tells a file that went away from a defect")
  func file() async {
    let result = await #expect(processExitsWith: .signal(SIGBUS), observing: [\.standardErrorContent]) {
      CrashReport.install(for: "decant 9.8 train")
      raise(SIGBUS)
    }
    expect(result, says: "a file became unreadable")
  }

  @Test("tells memory that ran out from a defect, and ends as after any failure")
  func memory() async {
    let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
      CrashReport.install(for: "decant 9.8 train")
      // As the runtime ends the process where an array cannot grow.
      errno = ENOMEM
      abort()
    }
    expect(result, says: "decant 9.8 train: memory ran out", "ulimit -v")
  }

  private func expect(
    _ result: ExitTest.Result?, says words: String..., sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    for word in words { #expect(said.contains(word), "\(said)", sourceLocation: sourceLocation) }
  }
}
