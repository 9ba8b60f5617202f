import Diagnostics
import Files
package import Generation
package import JSON

/// What an output of ``BatchInference`` already holds, checked against the rows it answers before anything is appended:
/// a row that was damaged, edited or belongs to another file is found by content, not by a count of lines.
package struct OutputCheck {
  /// Rows that the whole output will have.
  package var rowCount: Int
  /// Ids that a response may be made of are below it.
  package var vocabularySize: Int
  /// Most tokens of a response.
  package var maximumNewTokens: Int
  /// The input row that line `index` (from 0) answers.
  package var row: (_ index: Int) throws -> JSONObject
  /// The text of a response to that row.
  package var text: (_ index: Int, _ completion: Completion) throws -> String

  package init(
    rowCount: Int, vocabularySize: Int, maximumNewTokens: Int, row: @escaping (_ index: Int) throws -> JSONObject,
    text: @escaping (_ index: Int, _ completion: Completion) throws -> String
  ) {
    self.rowCount = rowCount
    self.vocabularySize = vocabularySize
    self.maximumNewTokens = maximumNewTokens
    self.row = row
    self.text = text
  }

  /// Checks every complete line of a file, holding one at a time.
  ///
  /// - Returns: the complete rows, and the bytes they take: what stands behind them is a half-written line.
  /// - Throws: a `Diagnostic` of category `failure` with the line that is not its input row with a response to it; the
  ///   file is left as it is.
  package func completeRows(of path: String) throws -> (rows: Int, bytes: Int) {
    let file = try MappedFile(path: path)
    defer { withExtendedLifetime(file) {} }
    let bytes = unsafe file.bytes
    var rows = 0, start = 0
    while let end = unsafe bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      do {
        guard rows < rowCount else { throw Diagnostic.failure("stands behind the last of \(rowCount) rows") }
        try unsafe check(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), index: rows)
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

  private func check(_ line: UnsafeRawBufferPointer, index: Int) throws {
    let root = JSONField(try unsafe JSONValue.parse(line))
    try checkRow(root, index: index)
    let ids = try root.required("token_ids").elements().map { Int32(try $0.integer(in: 0...vocabularySize - 1)) }
    guard ids.count <= maximumNewTokens else {
      throw Diagnostic.failure("holds \(ids.count) tokens, more than \(maximumNewTokens)", field: "token_ids")
    }
    let reason = try root.required("finish_reason")
    guard let ending = Completion.FinishReason(rawValue: try reason.string()) else {
      throw reason.diagnostic("is \(reason.value.text()), which is no reason to end")
    }
    let response = try root.required("response")
    let expected = try text(index, Completion(tokenIDs: ids, finishReason: ending))
    guard response.value == .string(expected) else { throw response.diagnostic("is not the text of token_ids") }
  }

  /// Compares all that a line has beside the response with the input row.
  private func checkRow(_ root: JSONField, index: Int) throws {
    var expected = try row(index)
    for key in ["response", "token_ids", "finish_reason"] { expected[key] = try root.required(key).value }
    guard root.value != .object(expected) else { return }
    let found = try root.object()
    let key = (expected.keys + found.keys).first { expected[$0] != found[$0] } ?? "the order of keys"
    throw Diagnostic.failure("differs from the input row", field: key)
  }
}
