/// Measures rates over the last half minute or so, so that a rate follows the work without jumping.
struct RateMeter {
  private struct Mark {
    var time: Double
    var count: Int
    var work: Int
  }

  private static let window = 30.0

  let start: Double
  private(set) var count = 0
  private(set) var work = 0
  /// Totals at times at least a second apart, the oldest first; the first is the window's beginning.
  private var marks: [Mark]

  init(start: Double) {
    self.start = start
    marks = [Mark(time: start, count: 0, work: 0)]
  }

  mutating func add(count: Int, work: Int, at time: Double) {
    self.count += count
    self.work += work
    if time - marks[marks.count - 1].time >= 1 { marks.append(Mark(time: time, count: self.count, work: self.work)) }
    // The first mark goes once the second one, too, lies outside the window, so that the window is never shorter.
    while marks.count > 1 && time - marks[1].time >= Self.window { marks.removeFirst() }
  }

  /// Units and work per second since the window's beginning; zero while no time has passed.
  func rates(at time: Double) -> (count: Double, work: Double) {
    let span = time - marks[0].time
    guard span > 0 else { return (0, 0) }
    return (Double(count - marks[0].count) / span, Double(work - marks[0].work) / span)
  }
}
