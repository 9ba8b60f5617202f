import Synchronization
import Telemetry
import TestSupport
import Testing

/// A console that keeps what was printed, and a clock that goes only when told.
final class Stage: Sendable {
  private let printed = Mutex<[String]>([])
  private let time = Mutex(100.0)
  let isTerminal: Bool

  init(isTerminal: Bool) { self.isTerminal = isTerminal }

  var console: Console {
    Console(isTerminal: isTerminal, columns: { 60 }, sink: { text in self.printed.withLock { $0.append(text) } })
  }
  var pieces: [String] { printed.withLock { $0 } }
  var now: @Sendable () -> Double { { self.time.withLock { $0 } } }
  func wait(_ seconds: Double) { time.withLock { $0 += seconds } }
}

@Suite("Progress")
struct ProgressTests {
  @Test("away from a terminal is a line every ten seconds or twentieth, with rate and time left")
  func lines() {
    let stage = Stage(isTerminal: false)
    let progress = Progress(
      "precompute", total: 2000, unit: "samples", rateUnit: "tokens", done: 1000, console: stage.console, now: stage.now
    )
    for _ in 0..<50 {
      stage.wait(0.5)
      progress.advance(by: 4, work: 800, message: "nll 1.93")
    }
    stage.wait(1)
    progress.advance(by: 600, work: 60_000)
    stage.wait(0.5)
    progress.advance(by: 200, work: 20_000)
    progress.finish(message: "done")
    progress.finish()
    #expect(
      stage.pieces == [
        "precompute: 1,008/2,000 samples (50%), 1.6K tokens/s, 2m 04s left, nll 1.93\n",
        "precompute: 1,088/2,000 samples (54%), 1.6K tokens/s, 1m 54s left, nll 1.93\n",
        "precompute: 1,168/2,000 samples (58%), 1.6K tokens/s, 1m 44s left, nll 1.93\n",
        "precompute: 1,800/2,000 samples (90%), 3.8K tokens/s, 6.5s left, nll 1.93\n",
        "precompute: 2,000/2,000 samples (100%), 4.5K tokens/s, took 27s, done\n",
      ])
  }

  @Test("on a terminal is one line redrawn in place, with logs above it")
  func bar() {
    let stage = Stage(isTerminal: true)
    let console = stage.console
    let progress = Progress("train", total: 4, unit: "steps", console: console, now: stage.now)
    progress.advance(message: "loss 2.0")
    stage.wait(0.05)
    progress.advance()
    stage.wait(0.95)
    progress.advance(message: "loss 1.5")
    Log.print(.warning, { "the teacher is slow" }, to: console)
    Log.print(.debug, { "not shown" }, to: console)
    progress.advance()
    progress.finish()
    let erase = "\r\u{1B}[2K"
    #expect(
      stage.pieces == [
        "\(erase)train [======>                 ] 1/4 steps (25%), loss 2.0",
        "\(erase)train [==================>     ] 3/4 steps (75%), 3 steps/s",
        "\(erase)warning: the teacher is slow\ntrain [==================>     ] 3/4 steps (75%), 3 steps/s",
        erase,
        "train: 4/4 steps (100%), 4 steps/s, took 1.0s, loss 1.5\n",
      ])
  }

  @Test("without a total counts up")
  func endless() {
    let stage = Stage(isTerminal: false)
    let progress = Progress("read", total: nil, unit: "rows", console: stage.console, now: stage.now)
    stage.wait(20)
    progress.advance(by: 5)
    #expect(stage.pieces == ["read: 5 rows, 0.25 rows/s\n"])
  }

  @Test("forgets old rates")
  func window() {
    let stage = Stage(isTerminal: false)
    let progress = Progress("job", total: 10_000, unit: "units", console: stage.console, now: stage.now)
    for second in 0..<100 {
      stage.wait(1)
      progress.advance(by: second < 50 ? 1 : 10)
    }
    #expect(stage.pieces.last?.contains("10 units/s") == true)
  }
}
