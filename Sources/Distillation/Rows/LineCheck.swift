import Diagnostics
import Files
package import JSON

/// Says of the lines of an output whether they are those that a job would have written there: each is a row of the input
/// with more.
package protocol LineCheck {
  /// Rows that the whole output will have.
  var rowCount: Int { get }

  /// Checks a line.
  ///
  /// - Throws: a `Diagnostic` where it is not that of row `index`, from 0.
  func check(_ line: JSONField, index: Int) throws
}

extension LineCheck {
  /// Checks every complete line of a file, holding one at a time.
  ///
  /// - Returns: the complete rows, and the bytes they take: what stands behind them is a half-written line.
  /// - Throws: a `Diagnostic` of category `failure` with the line that is not its input row with what belongs to it; the
  ///   file is left as it is.
  package func completeRows(of path: String) throws -> (rows: Int, bytes: Int) {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    let bytes = unsafe file.bytes
    var rows = 0, start = 0
    while let end = unsafe bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      do {
        guard rows < rowCount else { throw Diagnostic.failure("stands behind the last of \(rowCount) rows") }
        try check(
          JSONField(unsafe JSONValue.parse(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))), index: rows)
      } catch let fault as Diagnostic {
        throw Diagnostic.failure(
          "\(fault.message): the row is damaged, or is not of this input", file: path, line: rows + 1,
          field: fault.field,
          remedy: "remove this line and all after it, or the file, and run the same command again")
      }
      rows += 1
      start = end + 1
    }
    return (rows, start)
  }

  /// Compares all that a line has beside what was added with the input row.
  static func check(_ line: JSONField, is row: JSONObject, with added: [String]) throws {
    var expected = row
    for key in added { expected[key] = try line.required(key).value }
    guard line.value != .object(expected) else { return }
    let found = try line.object()
    let key = (expected.keys + found.keys).first { expected[$0] != found[$0] } ?? "the order of keys"
    throw Diagnostic.failure("differs from the input row", field: key)
  }
}
