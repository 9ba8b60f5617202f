import Glibc
import JSON

/// Rows of JSONL as data sets have them, and how fast they are read.
struct JSONWork {
  /// The rows, a line feed behind each.
  private let bytes: [UInt8]
  /// Where each row lies, without its line feed.
  private let rows: [Range<Int>]

  /// The same rows every time: a prompt and a response with escapes, and a few members that nobody asks for.
  init(rows count: Int = 200_000) {
    var bytes: [UInt8] = []
    var rows: [Range<Int>] = []
    for number in 0..<count {
      let start = bytes.count
      bytes += Self.row(number).utf8
      rows.append(start..<bytes.count)
      bytes.append(0x0A)
    }
    self.bytes = bytes
    self.rows = rows
  }

  private static func row(_ number: Int) -> String {
    let (red, given) = (number % 50, number % 9)
    return #"{"id": \#(number), "source": "books/volume-\#(number % 97)", "prompt": "Tom has \#(number) red kites and "#
      + #"gives away \#(given) of them to the children of the village. How many kites are left?", "response": "#
      + #""He keeps \#(red).\nThat is what \"left\" means: \#(number) minus \#(given), as in the café.", "#
      + #""score": 0.\#(number % 1000), "tags": ["sum", "easy"], "ok": true}"#
  }

  /// Mean bytes of a row, its line feed included.
  var rowBytes: Double { Double(bytes.count) / Double(rows.count) }

  /// MB/s of reading every row, in processor time of the one thread that reads, and of reading the memory the rows lie
  /// in, for what there is to gain.
  func measure(_ watch: Stopwatch) throws -> [Measurement] {
    let asked = ["prompt", "response", "instruction", "input", "context", "output", "messages", "text"]
    let fields = try JSONRowReader(asked), score = try JSONRowReader(["score"]), none = try JSONRowReader([])
    var seen = 0
    let results = [
      try rate("rows read, prompt and response", watch) { row in
        seen += try fields.read(bytes.span.extracting(row)).objectValue?.count ?? 0
      },
      try rate("rows read, every value", watch) { row in
        seen += try JSONValue.parse(bytes.span.extracting(row)).objectValue?.count ?? 0
      },
      try rate("rows read, one number, the rest passed over", watch) { row in
        seen += try score.read(bytes.span.extracting(row)).objectValue?.count ?? 0
      },
      try rate("rows checked, nothing asked for", watch) { row in
        seen += try none.read(bytes.span.extracting(row)).isNull ? 0 : 1
      },
      try memory(watch),
    ]
    precondition(seen > 0, "the rows of a benchmark have members")
    return results
  }

  private func rate(_ name: String, _ watch: Stopwatch, _ read: (Range<Int>) throws -> Void) throws -> Measurement {
    let seconds = try watch.processorSeconds { for row in rows { try read(row) } }
    return measurement("JSON, \(name)", seconds)
  }

  /// The same bytes searched for one that is not there.
  private func memory(_ watch: Stopwatch) throws -> Measurement {
    let seconds = unsafe bytes.withUnsafeBytes { buffer in
      watch.processorSeconds {
        precondition(unsafe memchr(buffer.baseAddress!, 0, buffer.count) == nil, "rows hold no zero byte")
      }
    }
    return measurement("JSON, the rows' bytes read from memory", seconds)
  }

  private func measurement(_ name: String, _ seconds: [Double]) -> Measurement {
    Measurement(
      name: name, value: Double(bytes.count) / Stopwatch.median(seconds) / 1e6, unit: "MB/s", seconds: seconds)
  }
}
