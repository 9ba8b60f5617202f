import Files
import JSON

/// Reads numbers out of a `metrics.jsonl`.
enum MetricsReader {
  /// The values of a key, in the order of the lines that have it.
  static func values(of name: String, in path: String) throws -> [Double] {
    try File.read(path).split(separator: UInt8(ascii: "\n")).compactMap {
      try JSONValue.parse(Array($0), file: path)[name]?.doubleValue
    }
  }
}
