import Diagnostics
package import Generation
package import JSON

/// What an output of ``BatchInference`` already holds, checked against the rows it answers before anything is appended:
/// a row that was damaged, edited or belongs to another file is found by content, not by a count of lines.
package struct OutputCheck: LineCheck {
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

  package func check(_ root: JSONField, index: Int) throws {
    try Self.check(root, is: row(index), with: ["response", "token_ids", "finish_reason"])
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
}
