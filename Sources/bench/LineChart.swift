import Glibc
import Telemetry

/// One line of labelled points over a logarithmic axis, as an SVG that needs nothing from elsewhere and is dark where
/// its reader's screen is.
struct LineChart {
  typealias Point = (x: Double, y: Double)

  var title: String
  var subtitle: String
  var xLabel: String
  var yLabel: String
  /// At least one, by rising x, all above 0.
  var points: [Point]
  /// A dashed line to compare with; may be empty.
  var expected: [Point]

  private static let width = 680.0, height = 400.0
  /// The area within the axes.
  private static let left = 84.0, right = 652.0, top = 74.0, bottom = 338.0
  /// Room between the axes and the outermost points, for their labels.
  private static let inset = 44.0

  /// The whole file.
  var svg: String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.text(Self.width)) \(Self.text(Self.height))" \
    width="\(Self.text(Self.width))" height="\(Self.text(Self.height))" role="img" font-family="system-ui, sans-serif" \
    font-size="13">
    <title>\(Self.escaped(title))</title>
    \(Self.style)
    <rect class="ground" width="100%" height="100%"/>
    \(Self.label(title, x: 24, y: 30, #"class="ink" font-size="17" font-weight="600""#))
    \(Self.label(subtitle, x: 24, y: 52, #"class="faint""#))
    \(expected.count > 1 ? Self.legend : "")
    \(yAxis)
    \(xAxis)
    \(Self.line(expected.map(place), "expected"))
    \(Self.line(points.map(place), "curve"))
    \(points.indices.map(mark).joined(separator: "\n"))
    </svg>

    """
  }

  /// Colours of GitHub's two schemes. The ground is part of the picture, so that it can be read on any page.
  private static let style = """
    <style>
    .ground { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e } .grid { stroke: #d1d9e0 }
    .curve { fill: none; stroke: #0969da; stroke-width: 2.5 } .point { fill: #0969da }
    .expected { fill: none; stroke: #bc4c00; stroke-width: 1.5; stroke-dasharray: 6 5 }
    .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
    @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .ink { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
    .curve { stroke: #4493f8 } .point { fill: #4493f8 } .expected { stroke: #db6d28 } .value { stroke: #0d1117 }
    }
    </style>
    """

  private static let legend = label(
    "dashed: the arithmetic alone", x: right, y: 30, #"class="faint" text-anchor="end""#)

  // MARK: Scales

  private var xRange: (low: Double, high: Double) { (log(points.first!.x), log(points.last!.x)) }

  /// Distance of the horizontal lines: 1, 2 or 5 times a power of ten, for four to eight of them.
  private var yStep: Double {
    let rough = (points + expected).reduce(0) { max($0, $1.y) } / 5
    let power = pow(10, floor(log10(rough)))
    return ([1, 2, 5].first { $0 * power >= rough } ?? 10) * power
  }

  /// The top of the vertical axis: a whole step with room for a label below it.
  private var yTop: Double { (((points + expected).reduce(0) { max($0, $1.y) } * 1.08) / yStep).rounded(.up) * yStep }

  private func place(_ point: Point) -> Point {
    let (low, high) = xRange
    let part = high > low ? (log(point.x) - low) / (high - low) : 0.5
    let x = Self.left + Self.inset + part * (Self.right - Self.left - 2 * Self.inset)
    return (x, Self.bottom - point.y / yTop * (Self.bottom - Self.top))
  }

  // MARK: Parts

  private var yAxis: String {
    let lines = (0...Int((yTop / yStep).rounded())).map { index in
      let value = Double(index) * yStep
      let y = place((points[0].x, value)).y
      return """
        <line class="grid" x1="\(Self.text(Self.left))" x2="\(Self.text(Self.right))" y1="\(Self.text(y))" \
        y2="\(Self.text(y))"/>
        """ + Self.label(Self.number(value), x: Self.left - 8, y: y + 4.5, #"class="faint" text-anchor="end""#)
    }
    let middle = (Self.top + Self.bottom) / 2
    let turned = #"class="faint" text-anchor="middle" transform="rotate(-90 22 \#(Self.text(middle)))""#
    return (lines + [Self.label(yLabel, x: 22, y: middle, turned)]).joined(separator: "\n")
  }

  private var xAxis: String {
    let centred = #"class="faint" text-anchor="middle""#
    let ticks = points.map { Self.label(Self.number($0.x), x: place($0).x, y: Self.bottom + 20, centred) }
    let middle = (Self.left + Self.right) / 2
    return (ticks + [Self.label(xLabel, x: middle, y: Self.bottom + 46, centred)]).joined(separator: "\n")
  }

  /// A point and its value, written on the side that the line leaves free.
  private func mark(_ index: Int) -> String {
    let (x, y) = place(points[index])
    let leftIsFree = index == 0 || points[index - 1].y < points[index].y
    let rightIsFree = index + 1 == points.count || points[index + 1].y < points[index].y
    let (anchor, across, down) =
      switch (leftIsFree, rightIsFree) {
      case (true, true): ("middle", 0.0, -10.0)
      case (true, false): ("end", -6.0, -9.0)
      case (false, true): ("start", 6.0, -9.0)
      case (false, false): ("middle", 0.0, 20.0)
      }
    return #"<circle class="point" cx="\#(Self.text(x))" cy="\#(Self.text(y))" r="4"/>"#
      + Self.label(
        Self.number(points[index].y), x: x + across, y: y + down, #"class="ink value" text-anchor="\#(anchor)""#)
  }

  private static func line(_ points: [Point], _ style: String) -> String {
    guard points.count > 1 else { return "" }
    let places = points.map { "\(text($0.x)),\(text($0.y))" }.joined(separator: " ")
    return #"<polyline class="\#(style)" points="\#(places)"/>"#
  }

  private static func label(_ words: String, x: Double, y: Double, _ attributes: String) -> String {
    #"<text x="\#(text(x))" y="\#(text(y))" \#(attributes)>\#(escaped(words))</text>"#
  }

  private static func text(_ coordinate: Double) -> String { Readable.decimals(coordinate, 1) }

  /// Whole numbers with their thousands apart, and one decimal below ten.
  private static func number(_ value: Double) -> String {
    value < 10 && value != value.rounded() ? Readable.decimals(value, 1) : Readable.grouped(Int(value.rounded()))
  }

  private static func escaped(_ words: String) -> String {
    var escaped = ""
    for character in words {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      default: escaped.append(character)
      }
    }
    return escaped
  }
}
