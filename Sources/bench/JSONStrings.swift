import Files
import JSON

/// The texts of a file, a JSON string on every line.
enum JSONStrings {
  /// - Throws: a `Diagnostic` with file and line for what is no such file.
  static func read(_ path: String) throws -> [String] {
    try File.read(path).split(separator: UInt8(ascii: "\n")).enumerated().map { index, line in
      try JSONField(JSONValue.parse(Array(line), file: path, line: index + 1), file: path).string()
    }
  }
}
