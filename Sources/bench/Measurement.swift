import Glibc
import JSON
import Telemetry
import Tensor

/// What one benchmark found.
struct Measurement: Sendable {
  var name: String
  /// Tokens per second, MB/s, bytes per token, MiB or a share, as ``unit`` says; the median of the repeats.
  var value: Double
  var unit: String
  /// Seconds of each repeat.
  var seconds: [Double] = []
  /// Name of the measurement whose matrix products alone these are, at their fastest.
  var floorOf: String?

  /// A line for people.
  var line: String {
    let gap = String(repeating: " ", count: max(1, 60 - name.count))
    return name + gap + Readable.decimals(value, value < 10 ? 3 : 1) + " " + unit
  }

  /// A line for machines, with the settings it was measured under.
  func json(_ options: Options) -> JSONValue {
    var object: JSONObject = [
      "bench": .string(name), "value": .double(value), "unit": .string(unit),
      "precision": .string(options.precision.rawValue), "seconds": .array(seconds.map { .double($0) }),
    ]
    if let floorOf { object["floor_of"] = .string(floorOf) }
    return .object(object)
  }
}

/// Times work: once to warm up, then `repeats` times.
struct Stopwatch {
  var repeats: Int

  /// Seconds of each repeat.
  func seconds(_ work: () throws -> Void) rethrows -> [Double] {
    try work()
    return try (0..<repeats).map { _ in try Self.time(work) }
  }

  /// What something measures of itself, once to warm up and then `repeats` times.
  func values(atMost most: Int = .max, _ measure: () throws -> Double) rethrows -> [Double] {
    _ = try measure()
    return try (0..<min(repeats, most)).map { _ in try measure() }
  }

  /// Work as tokens per second.
  func rate(_ name: String, _ work: Work) throws -> Measurement {
    let seconds = try seconds(work.run)
    return Measurement(
      name: name, value: Double(work.tokens) / Self.median(seconds), unit: "tokens/s", seconds: seconds)
  }

  /// Seconds that work takes, once.
  static func time(_ work: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try work()
    return (ContinuousClock.now - start) / .seconds(1)
  }

  /// Seconds of each repeat that the calling thread computed for: what others do on the machine is not in them.
  func processorSeconds(_ work: () throws -> Void) rethrows -> [Double] {
    try work()
    return try (0..<repeats).map { _ in
      let start = Self.processorTime
      try work()
      return Self.processorTime - start
    }
  }

  private static var processorTime: Double {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}
