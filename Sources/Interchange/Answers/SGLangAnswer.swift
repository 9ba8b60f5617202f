import Diagnostics
import JSON
import Sequences

/// ``AnswerFormat/sglang``.
enum SGLangAnswer {
  private static let own: StaticString = "meta_info.input_token_logprobs"
  private static let top: StaticString = "meta_info.input_top_logprobs"

  static func read(_ members: AnswerMembers, _ scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    let remedy = "ask for it: \"return_logprob\": true, \"logprob_start_len\": 0, \"top_logprobs_num\": \(rows.topK)"
    guard let tokens = members.inputTokenLogProbs else { throw members.missing("\(own)", rows, remedy: remedy) }
    guard let rowsStart = members.inputTopLogProbs else { throw members.missing("\(top)", rows, remedy: remedy) }
    let targets = try targets(tokens, &scanner, rows)
    try RowWalk.overScored(rowsStart, &scanner, rows, top) { token, scanner in
      rows.startRow()
      try scanner.beginArray()
      while scanner.nextElement() {
        let (logProb, id) = try entry(&scanner, rows, top, token)
        guard let logProb else { throw rows.place.fault("an id has the log-prob null", field: "\(top)[\(token)]") }
        try rows.add(id, logProb, top, token)
      }
      guard let target = targets[token] else {
        throw rows.place.fault("the log-prob is null, and the position before is scored", field: "\(own)[\(token)]")
      }
      try rows.endRow(target: try rows.checked(target, own, token), top, token)
    }
  }

  /// The log-prob of each token, once its id is found to be ours.
  private static func targets(
    _ start: JSONScanner.Bookmark, _ scanner: inout JSONScanner, _ rows: ReportedRows
  ) throws -> [Double?] {
    let ids = rows.sequence.tokenIDs
    var targets: [Double?] = []
    targets.reserveCapacity(ids.count)
    try RowWalk.begin(start, &scanner, rows, own)
    while scanner.nextElement() {
      let index = targets.count
      if index == 0 && scanner.peekKind() == .null {
        scanner.skipValue()
        targets.append(nil)
        continue
      }
      let (logProb, id) = try entry(&scanner, rows, own, index)
      if index < ids.count, id != Int(ids[index]) {
        throw rows.place.fault(
          "is of token id \(id), expected \(ids[index])", field: "\(own)[\(index)]",
          remedy: "have exactly these token ids scored, with the tokenizer of the teacher")
      }
      targets.append(logProb)
    }
    guard targets.count == ids.count else { throw RowWalk.wrongCount(targets.count, rows, own) }
    return targets
  }

  /// `[logprob, id, text]`, of which the text may be missing.
  private static func entry(
    _ scanner: inout JSONScanner, _ rows: ReportedRows, _ field: StaticString, _ index: Int
  ) throws -> (logProb: Double?, id: Int) {
    func fault() -> Diagnostic { rows.place.fault("is no [logprob, id, text]", field: "\(field)[\(index)]") }
    guard scanner.peekKind() == .array else { throw fault() }
    try scanner.beginArray()
    guard scanner.nextElement() else { throw fault() }
    var logProb: Double?
    switch scanner.peekKind() {
    case .number: logProb = try scanner.readNumber()
    case .null: scanner.skipValue()
    default: throw fault()
    }
    guard scanner.nextElement(), scanner.peekKind() == .number else { throw fault() }
    let id = try scanner.readInteger()
    while scanner.nextElement() { scanner.skipValue() }
    return (logProb, id)
  }
}
