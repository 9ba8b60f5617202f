import Diagnostics
import JSON
import Sequences

/// ``AnswerFormat/vllm``.
enum VLLMAnswer {
  private static let field: StaticString = "prompt_logprobs"
  private static let logProbKey = Array("logprob".utf8)

  static func read(_ members: AnswerMembers, _ scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    guard let start = members.promptLogProbs else {
      throw members.missing("\(field)", rows, remedy: "ask for it: \"prompt_logprobs\": \(rows.topK)")
    }
    try RowWalk.overScored(start, &scanner, rows, field, beginsWithNull: true) { token, scanner in
      try row(token, &scanner, rows)
    }
  }

  private static func row(_ token: Int, _ scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    let own = rows.sequence.tokenIDs[token]
    let start = scanner.bookmark
    rows.startRow()
    if try scanner.readNumberedMembers("logprob", { try rows.add($0, $1, field, token) }),
      let target = rows.logProb(of: own)
    {
      return try rows.endRow(target: target, field, token)
    }
    // Something is not as it should be, or written in another way.
    scanner.go(to: start)
    rows.startRow()
    guard scanner.peekKind() == .object else {
      throw rows.place.fault("is no object from token id to log-prob", field: "\(field)[\(token)]")
    }
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      guard let id = DecimalDigits.integer(rows.bytes[...]) else {
        throw rows.place.fault(
          "the key \"\(String(decoding: rows.bytes, as: UTF8.self))\" is no token id", field: "\(field)[\(token)]")
      }
      try rows.add(id, try logProb(&scanner, rows, token), field, token)
    }
    guard let target = rows.logProb(of: own) else { throw otherTokens(own, rows, token) }
    try rows.endRow(target: target, field, token)
  }

  /// The member `logprob` of an id's object; some proxies write the number alone.
  private static func logProb(_ scanner: inout JSONScanner, _ rows: ReportedRows, _ token: Int) throws -> Double {
    switch scanner.peekKind() {
    case .number: return try scanner.readNumber()
    case .object: break
    default: throw rows.place.fault("an id has no logprob", field: "\(field)[\(token)]")
    }
    var found: Double?
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      guard rows.bytes == logProbKey, scanner.peekKind() == .number else {
        scanner.skipValue()
        continue
      }
      found = try scanner.readNumber()
    }
    guard let found else { throw rows.place.fault("an id has no logprob", field: "\(field)[\(token)]") }
    return found
  }

  private static func otherTokens(_ own: Int32, _ rows: ReportedRows, _ token: Int) -> Diagnostic {
    rows.place.fault(
      "lacks the id \(own) of token \(token) itself, which is always reported: these rows are of other tokens, or shifted",
      field: "\(field)[\(token)]", remedy: "have exactly these token ids scored, with the tokenizer of the teacher")
  }
}

/// Token ids in text.
enum DecimalDigits {
  /// The number that digits stand for; nil for anything else, and beyond 18 digits.
  static func integer(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard (1...18).contains(bytes.count) else { return nil }
    var value = 0
    for byte in bytes {
      let digit = Int(byte) - 0x30
      guard digit >= 0 && digit <= 9 else { return nil }
      value = value * 10 + digit
    }
    return value
  }
}
