import Diagnostics
import Threads
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("A stage on a thread of its own", .timeLimit(.minutes(1))) struct BackgroundStageTests {
  private static func failure(_ text: String) -> Diagnostic { .failure(text, remedy: "none") }

  @Test("inputs are worked on in order, all on one thread that is not the submitter's") func order() throws {
    let seen = Mutex<(inputs: [Int], threads: Set<UInt>)>(([], []))
    let result = try BackgroundStage.running({ (input: Int) in
      seen.withLock {
        $0.inputs.append(input)
        $0.threads.insert(UInt(pthread_self()))
      }
    }) { stage in
      for input in 0..<100 { try stage.submit(input) }
      return "done"
    }
    #expect(result == "done")
    let (inputs, threads) = seen.withLock { ($0.inputs, $0.threads) }
    #expect(inputs == Array(0..<100))
    #expect(threads.count == 1 && !threads.contains(UInt(pthread_self())))
  }

  @Test("without inputs there is no work") func nothing() throws {
    #expect(try BackgroundStage.running({ (_: Int) in Issue.record("work") }) { _ in 7 } == 7)
  }

  @Test("one input waits while another is worked on, and no more") func bound() throws {
    let submitted = Atomic(0), surplus = Atomic(0)
    try BackgroundStage.running({ (input: Int) in
      // The next input is handed over while this one is worked on; the one after it must not be.
      while submitted.load(ordering: .acquiring) < min(input + 2, 5) { sched_yield() }
      usleep(20_000)
      let ahead = submitted.load(ordering: .acquiring) - (input + 2)
      if ahead > 0 { surplus.add(ahead, ordering: .relaxed) }
    }) { stage in
      for input in 0..<5 {
        try stage.submit(input)
        submitted.add(1, ordering: .releasing)
      }
    }
    #expect(surplus.load(ordering: .relaxed) == 0)
  }

  @Test("an error ends the work, reaches the next submitter and comes out", arguments: [0, 3])
  func error(failing: Int) {
    let worked = Mutex([Int]()), submitterSaw = Mutex<String?>(nil)
    expectDiagnostic(.failure, saying: "disk full at \(failing)") {
      try BackgroundStage.running({ (input: Int) in
        if input == failing { throw Self.failure("disk full at \(input)") }
        worked.withLock { $0.append(input) }
      }) { stage in
        for input in 0..<100 {
          do { try stage.submit(input) } catch {
            submitterSaw.withLock { $0 = "\(error)" }
            throw error
          }
        }
      }
    }
    #expect(worked.withLock { $0 } == Array(0..<failing), "nothing after the error")
    #expect(submitterSaw.withLock { $0 }?.contains("disk full at \(failing)") == true)
  }

  @Test("an error comes out where nothing is submitted after it, or the submitter hides it") func hiddenError() {
    for count in [1, 2, 10] {
      let worked = Atomic(0)
      expectDiagnostic(.failure, saying: "disk full") {
        try BackgroundStage.running({ (_: Int) in
          worked.add(1, ordering: .relaxed)
          throw Self.failure("disk full")
        }) { stage in
          for input in 0..<count { try? stage.submit(input) }
        }
      }
      #expect(worked.load(ordering: .relaxed) == 1)
    }
  }

  @Test("where the submitter fails, what it had submitted is still worked on") func submitterFails() {
    let worked = Mutex([Int]())
    expectDiagnostic(.failure, saying: "not finite") {
      try BackgroundStage.running({ (input: Int) in worked.withLock { $0.append(input) } }) { stage in
        for input in 0..<3 { try stage.submit(input) }
        throw Self.failure("not finite")
      }
    }
    #expect(worked.withLock { $0 } == [0, 1, 2])
  }

  @Test("where both fail, the work's error comes out, which is the earlier one") func bothFail() {
    expectDiagnostic(.failure, saying: "disk full") {
      try BackgroundStage.running({ (_: Int) in throw Self.failure("disk full") }) { stage in
        try stage.submit(0)
        throw Self.failure("not finite")
      }
    }
  }
}
