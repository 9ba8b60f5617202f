import Files
import Telemetry
import Tensor

/// The folder of growth curves: a picture and a table of numbers for each, and a page that shows and explains them.
struct Gallery {
  let folder: String
  let watch: Stopwatch
  let options: Options

  /// Measures a curve, reports each point, and writes its picture and table.
  func draw(_ curve: Curve, _ report: (Measurement) -> Void) throws {
    let threads = Engine.threads
    defer { try? Engine.configure(threads: threads) }
    var points: [Measurement] = []
    for value in curve.values {
      let point = try watch.rate("\(curve.name), \(value)", curve.work(value))
      report(point)
      points.append(point)
    }
    try File.makeFolder(folder)
    try File.write(Array(chart(curve, points).svg.utf8), to: "\(folder)/\(curve.name).svg")
    try File.write(Array(table(curve, points).utf8), to: "\(folder)/\(curve.name).csv")
  }

  private func chart(_ curve: Curve, _ points: [Measurement]) -> LineChart {
    let sizes = curve.values.map(Double.init)
    let expected = curve.cost.map { cost in
      // Through the first point.
      zip(curve.values, sizes).map { (x: $1, y: points[0].value * cost(curve.values[0]) / cost($0)) }
    }
    return LineChart(
      title: curve.title, subtitle: "\(curve.setting), \(options.precision.rawValue)", xLabel: curve.axis,
      yLabel: "tokens/s", points: zip(sizes, points).map { (x: $0, y: $1.value) }, expected: expected ?? [])
  }

  /// Comma-separated values: the size, its rate, the seconds of each repeat.
  private func table(_ curve: Curve, _ points: [Measurement]) -> String {
    let repeats = (1...watch.repeats).map { "seconds \($0)" }
    let head = "\"\(curve.axis)\",tokens/s,\(repeats.joined(separator: ","))\n"
    return zip(curve.values, points).reduce(head) { text, point in
      let seconds = point.1.seconds.map { Readable.decimals($0, 4) }.joined(separator: ",")
      return text + "\(point.0),\(Readable.decimals(point.1.value, 1)),\(seconds)\n"
    }
  }

  /// Writes the page of some curves.
  func describe(_ curves: [Curve]) throws {
    let sections = curves.map { curve in
      """

      ## \(curve.title)

      ![\(curve.title)](\(curve.name).svg)

      \(Self.wrapped("\(curve.explanation) ([numbers](\(curve.name).csv))"))

      """
    }
    let about = """
      Tokens per second against one size at a time, drawn by `make bench-curves` (\(Engine.summary)); each point is the \
      median of \(watch.repeats). Dashed lines are the arithmetic alone, through the first point.
      """
    let page = "# Growth curves\n\n\(Self.wrapped(about))\n\(sections.joined())"
    try File.write(Array(page.utf8), to: "\(folder)/README.md")
  }

  /// A paragraph in lines of at most 120 characters.
  private static func wrapped(_ paragraph: String) -> String {
    var lines = [""]
    for word in paragraph.split(separator: " ") {
      if lines.last!.isEmpty {
        lines[lines.count - 1] += word
      } else if lines.last!.count + 1 + word.count <= 120 {
        lines[lines.count - 1] += " \(word)"
      } else {
        lines.append(String(word))
      }
    }
    return lines.joined(separator: "\n")
  }
}
