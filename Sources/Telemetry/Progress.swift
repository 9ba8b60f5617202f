import Synchronization

/// How far a long job is, at what rate, and how long it will take: a bar redrawn in place on a terminal, elsewhere a
/// plain line every ten seconds or every twentieth of the way, whichever comes first, but at most one a second.
///
/// ```swift
/// let progress = Progress("precompute", total: samples.count, unit: "samples", rateUnit: "tokens", done: alreadyThere)
/// progress.advance(by: batch.count, work: tokens, message: "nll 1.93")
/// progress.finish()
/// ```
public final class Progress: Sendable {
  private let title: String
  private let total: Int?
  private let unit: String
  private let rateUnit: String
  private let console: Console
  private let now: @Sendable () -> Double
  private let state: Mutex<State>

  private struct State {
    var done: Int
    var message = ""
    var isFinished = false
    var meter: RateMeter
    var lastShown: Double?
    var doneWhenShown: Int
  }

  /// - Parameters:
  ///   - total: Units in all, nil where it is not known.
  ///   - unit: What is counted, in the plural, such as `samples`.
  ///   - rateUnit: What the rate counts where that is not the unit, such as `tokens`; ``advance(by:work:message:)`` then
  ///     says how many.
  ///   - done: Units an earlier run did already: part of the way, but not of the rate.
  ///   - now: Seconds on a clock that never goes back.
  public init(
    _ title: String, total: Int?, unit: String, rateUnit: String? = nil, done: Int = 0,
    console: Console = .standardError, now: @escaping @Sendable () -> Double = Progress.monotonicSeconds
  ) {
    self.title = title
    self.total = total
    self.unit = unit
    self.rateUnit = rateUnit ?? unit
    self.console = console
    self.now = now
    state = Mutex(State(done: done, meter: RateMeter(start: now()), doneWhenShown: done))
  }

  /// Counts `count` more units and `work` more of what the rate counts (`count`, where nil).
  public func advance(by count: Int = 1, work: Int? = nil, message: String? = nil) {
    let time = now()
    state.withLock { state in
      state.done += count
      state.meter.add(count: count, work: work ?? count, at: time)
      if let message { state.message = message }
      if isDue(state, at: time) { show(&state, at: time) }
    }
  }

  /// Shows where the job stands at its end and how long it took; on a terminal the bar becomes a line. Calls after the
  /// first do nothing.
  public func finish(message: String? = nil) {
    let time = now()
    state.withLock { state in
      guard !state.isFinished else { return }
      state.isFinished = true
      if let message { state.message = message }
      if console.isTerminal { console.draw("") }
      let elapsed = time - state.meter.start
      var parts = [counts(state)]
      if state.meter.work > 0 && elapsed > 0 { parts.append(rate(Double(state.meter.work) / elapsed)) }
      parts.append("took \(Readable.duration(elapsed))")
      if !state.message.isEmpty { parts.append(state.message) }
      console.line("\(title): \(parts.joined(separator: ", "))")
    }
  }

  /// Seconds on the system's monotonic clock, from some moment of this process.
  public static let monotonicSeconds: @Sendable () -> Double = {
    let start = ContinuousClock.now
    return { (ContinuousClock.now - start) / .seconds(1) }
  }()

  private func isDue(_ state: State, at time: Double) -> Bool {
    guard !state.isFinished else { return false }
    guard let last = state.lastShown else { return console.isTerminal || time - state.meter.start >= 1 }
    if console.isTerminal { return time - last >= 0.1 }
    let isFar = total.map { (state.done - state.doneWhenShown) * 20 >= $0 } ?? false
    return time - last >= 10 || (isFar && time - last >= 1)
  }

  private func show(_ state: inout State, at time: Double) {
    state.lastShown = time
    state.doneWhenShown = state.done
    let speed = state.meter.rates(at: time)
    var parts = [counts(state)]
    if speed.work > 0 { parts.append(rate(speed.work)) }
    if let total, speed.count > 0, total > state.done {
      parts.append("\(Readable.duration(Double(total - state.done) / speed.count)) left")
    }
    if !state.message.isEmpty { parts.append(state.message) }
    let text = parts.joined(separator: ", ")
    if console.isTerminal { console.draw("\(title) \(bar(state))\(text)") } else { console.line("\(title): \(text)") }
  }

  private func counts(_ state: State) -> String {
    guard let total else { return "\(Readable.grouped(state.done)) \(unit)" }
    let percent = total > 0 ? " (\(Int(100 * fraction(state)))%)" : ""
    return "\(Readable.grouped(state.done))/\(Readable.grouped(total)) \(unit)\(percent)"
  }

  private func rate(_ perSecond: Double) -> String { "\(Readable.count(perSecond)) \(rateUnit)/s" }

  private func fraction(_ state: State) -> Double {
    guard let total, total > 0 else { return 0 }
    return min(1, Double(state.done) / Double(total))
  }

  private func bar(_ state: State) -> String {
    guard total != nil else { return "" }
    let width = 24
    let filled = Int(Double(width) * fraction(state))
    let tip = filled < width ? ">" : ""
    return
      "[\(String(repeating: "=", count: filled))\(tip)\(String(repeating: " ", count: width - filled - tip.count))] "
  }
}
