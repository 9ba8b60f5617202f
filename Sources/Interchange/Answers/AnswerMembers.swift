import Diagnostics
import JSON

/// Where the parts of an answer lie that any of the formats reads: they may come in any order.
struct AnswerMembers {
  /// vLLM's list of rows.
  var promptLogProbs: JSONScanner.Bookmark?
  /// SGLang's.
  var inputTokenLogProbs: JSONScanner.Bookmark?
  var inputTopLogProbs: JSONScanner.Bookmark?
  /// OpenAI's.
  var tokens: JSONScanner.Bookmark?
  var tokenLogProbs: JSONScanner.Bookmark?
  var topLogProbs: JSONScanner.Bookmark?
  /// Keys of the root, for a message.
  private(set) var keys: [String] = []

  /// Looks through a whole answer: an object, or a list with one.
  mutating func find(in scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    if scanner.peekKind() == .array {
      try scanner.beginArray()
      guard scanner.nextElement() else { throw rows.place.fault("is an empty list, but an answer is an object") }
      try object(&scanner, rows)
      guard !scanner.nextElement() else {
        throw rows.place.fault("is a list of several answers", remedy: "ask for one sequence at a time")
      }
    } else {
      try object(&scanner, rows)
    }
  }

  private mutating func object(_ scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    guard scanner.peekKind() == .object else { throw rows.place.fault("is no object, and an answer is one") }
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      if try !take(rows.bytes, &scanner, rows) { scanner.skipValue() }
    }
  }

  /// Looks into a member of the root; false where none of it is of use and it has not been passed.
  mutating func take(_ key: [UInt8], _ scanner: inout JSONScanner, _ rows: ReportedRows) throws -> Bool {
    let name = String(decoding: key, as: UTF8.self)
    if keys.count < 16 { keys.append(name) }
    switch name {
    case "prompt_logprobs": Self.mark(&promptLogProbs, &scanner)
    case "meta_info" where scanner.peekKind() == .object:
      try members(&scanner, rows) { found, name, scanner in
        switch name {
        case "input_token_logprobs": Self.mark(&found.inputTokenLogProbs, &scanner)
        case "input_top_logprobs": Self.mark(&found.inputTopLogProbs, &scanner)
        default: scanner.skipValue()
        }
      }
    case "choices" where scanner.peekKind() == .array:
      try scanner.beginArray()
      guard scanner.nextElement() else { return true }
      if scanner.peekKind() == .object { try choice(&scanner, rows) } else { scanner.skipValue() }
      while scanner.nextElement() { scanner.skipValue() }
    default: return false
    }
    return true
  }

  private mutating func choice(_ scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    try members(&scanner, rows) { found, name, scanner in
      switch name {
      case "prompt_logprobs": Self.mark(&found.promptLogProbs, &scanner)
      case "logprobs" where scanner.peekKind() == .object:
        try found.members(&scanner, rows) { found, name, scanner in
          switch name {
          case "tokens": Self.mark(&found.tokens, &scanner)
          case "token_logprobs": Self.mark(&found.tokenLogProbs, &scanner)
          case "top_logprobs": Self.mark(&found.topLogProbs, &scanner)
          default: scanner.skipValue()
          }
        }
      default: scanner.skipValue()
      }
    }
  }

  /// Calls `body` with the name of each member of an object, whose value it passes.
  private mutating func members(
    _ scanner: inout JSONScanner, _ rows: ReportedRows,
    _ body: (inout AnswerMembers, String, inout JSONScanner) throws -> Void
  ) throws {
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) { try body(&self, String(decoding: rows.bytes, as: UTF8.self), &scanner) }
  }

  private static func mark(_ bookmark: inout JSONScanner.Bookmark?, _ scanner: inout JSONScanner) {
    bookmark = scanner.peekKind() == .null ? nil : scanner.bookmark
    scanner.skipValue()
  }

  /// What to say of an answer that lacks a part.
  func missing(_ field: String, _ rows: ReportedRows, remedy: String) -> Diagnostic {
    rows.place.fault(
      "is missing or null; the answer has \(keys.isEmpty ? "nothing" : keys.joined(separator: ", "))", field: field,
      remedy: remedy)
  }
}
