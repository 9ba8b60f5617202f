public import Testing

/// Expects two numbers to be within `absolute + relative * |expected|`. Equal infinities are close; a NaN is close to
/// nothing.
public func expectClose<Number: BinaryFloatingPoint>(
  _ actual: Number, _ expected: Number, absolute: Double = 0, relative: Double = 0,
  _ label: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  if isClose(Double(actual), Double(expected), absolute, relative) { return }
  Issue.record(
    "\(prefix(label()))\(actual) is not close to \(expected): difference \((Double(actual) - Double(expected)).magnitude)",
    sourceLocation: sourceLocation)
}

/// Expects arrays of equal length whose elements are pairwise close; reports the worst element and how many are off.
public func expectClose<Number: BinaryFloatingPoint>(
  _ actual: [Number], _ expected: [Number], absolute: Double = 0, relative: Double = 0,
  _ label: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record(
      "\(prefix(label()))\(actual.count) elements where \(expected.count) are expected", sourceLocation: sourceLocation)
    return
  }
  let failures = actual.indices.filter { !isClose(Double(actual[$0]), Double(expected[$0]), absolute, relative) }
  // A NaN counts as infinitely far.
  func gap(_ index: Int) -> Double {
    let difference = (Double(actual[index]) - Double(expected[index])).magnitude
    return difference.isNaN ? .infinity : difference
  }
  guard let worst = failures.max(by: { gap($0) < gap($1) }) else { return }
  Issue.record(
    """
    \(prefix(label()))\(failures.count) of \(actual.count) elements are not close; the worst is [\(worst)]: \
    \(actual[worst]) where \(expected[worst]) is expected (difference \(gap(worst)))
    """, sourceLocation: sourceLocation)
}

private func isClose(_ actual: Double, _ expected: Double, _ absolute: Double, _ relative: Double) -> Bool {
  if actual == expected { return true }
  return expected.isFinite && (actual - expected).magnitude <= absolute + relative * expected.magnitude
}

private func prefix(_ label: String) -> String { label.isEmpty ? "" : "\(label): " }
