import JSON

/// What one benchmark found.
struct Measurement: Sendable {
  var name: String
  /// Tokens per second, bytes per token, MiB or a share, as ``unit`` says; the median of the repeats.
  var value: Double
  var unit: String
  /// Seconds of each repeat.
  var seconds: [Double] = []

  var json: JSONValue {
    .object([
      "bench": .string(name), "value": .double(value), "unit": .string(unit),
      "seconds": .array(seconds.map { .double($0) }),
    ])
  }
}

/// Times work: once to warm up, then `repeats` times.
struct Stopwatch {
  var repeats: Int

  /// Seconds of each repeat.
  func seconds(_ work: () throws -> Void) rethrows -> [Double] {
    try work()
    return try (0..<repeats).map { _ in
      let start = ContinuousClock.now
      try work()
      return (ContinuousClock.now - start) / .seconds(1)
    }
  }

  /// Work of `tokens` tokens as tokens per second.
  func rate(_ name: String, tokens: Int, _ work: () throws -> Void) rethrows -> Measurement {
    let seconds = try seconds(work)
    return Measurement(
      name: name, value: Double(tokens) / Self.median(seconds), unit: "tokens/s", seconds: seconds)
  }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}
