import Diagnostics
import JSON
import Sequences

/// ``AnswerFormat/openai``.
///
/// What is in the place of a token's id is its text, and several ids may have one: such an entry is left out, and its mass
/// goes to the tail. llama-cpp-python leaves the leading BOS out and has null for the token after it; a generated token may
/// stand at the end. Which of our tokens the first entry is of is found by comparing texts.
struct OpenAIAnswer {
  let texts: TokenTexts?

  private static let tokensField: StaticString = "choices[0].logprobs.tokens"
  private static let ownField: StaticString = "choices[0].logprobs.token_logprobs"
  private static let topField: StaticString = "choices[0].logprobs.top_logprobs"
  /// Most generated tokens that may follow.
  private static let surplus = 16

  func read(_ members: AnswerMembers, _ scanner: inout JSONScanner, _ rows: ReportedRows) throws {
    let remedy = "ask for it: \"echo\": true, \"logprobs\": \(rows.topK), \"max_tokens\": 1"
    guard let tokens = members.tokens else { throw members.missing("\(Self.tokensField)", rows, remedy: remedy) }
    guard let own = members.tokenLogProbs else { throw members.missing("\(Self.ownField)", rows, remedy: remedy) }
    guard let top = members.topLogProbs else { throw members.missing("\(Self.topField)", rows, remedy: remedy) }
    let found = try strings(tokens, &scanner, rows)
    let first = try firstToken(of: found, rows)
    let targets = try numbers(own, &scanner, rows)
    guard targets.count == found.count else {
      throw rows.place.fault(
        "has \(targets.count) entries, but there are \(found.count) tokens", field: "\(Self.ownField)")
    }
    try RowWalk.overScored(top, &scanner, rows, Self.topField, first: first, surplus: Self.surplus) { token, scanner in
      guard let target = targets[token - first] else {
        throw rows.place.fault(
          "is null, and position \(token - 1) is scored", field: "\(Self.ownField)[\(token - first)]",
          remedy: "this server reports nothing of its first token: leave it out of what is scored")
      }
      try row(token - first, own: token, Array(found[token - first].utf8), target, &scanner, rows)
    }
  }

  /// - Parameters:
  ///   - own: Index of the token that follows.
  ///   - text: What the server writes for it: an entry of that text and of its log-prob is the token itself, whatever other
  ///     ids share the text, such as the nothing that special tokens may be written as.
  private func row(
    _ index: Int, own: Int, _ text: [UInt8], _ target: Double, _ scanner: inout JSONScanner, _ rows: ReportedRows
  ) throws {
    rows.startRow()
    guard scanner.peekKind() == .object else {
      throw rows.place.fault("is no object from token to log-prob", field: "\(Self.topField)[\(index)]")
    }
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      let named = id(of: rows.bytes), isOwnText = rows.bytes == text
      let value = try scanner.readNumber()
      let id = named ?? (isOwnText && value == target ? Int(rows.sequence.tokenIDs[own]) : nil)
      try rows.add(id, value, Self.topField, index)
    }
    try rows.endRow(
      target: try rows.checked(target, Self.ownField, index), mayHaveFewer: TokenTexts.namedID(text) == nil,
      Self.topField,
      index)
  }

  /// The id that a key names; nil where it names none, or several.
  private func id(of key: [UInt8]) -> Int? {
    if let id = TokenTexts.namedID(key) { return id }
    return texts?.id(of: String(decoding: key, as: UTF8.self)).map(Int.init)
  }

  // MARK: Alignment

  /// Which of our tokens the first entry is of: the first, or the second where the one that begins a text is left out.
  private func firstToken(of found: [String], _ rows: ReportedRows) throws -> Int {
    let ids = rows.sequence.tokenIDs
    let possible = [0, 1].filter { first in
      found.count >= ids.count - first && found.count <= ids.count - first + Self.surplus
    }
    guard !possible.isEmpty else { throw RowWalk.wrongCount(found.count, rows, Self.tokensField) }
    var worst: (first: Int, index: Int)?
    for first in possible {
      guard let other = (first..<ids.count).first(where: { !isText(found[$0 - first], of: ids[$0], at: $0 - first) })
      else { return first }
      if worst.map({ other - first > $0.index }) ?? true { worst = (first, other - first) }
    }
    let (first, index) = worst!
    let id = ids[index + first]
    throw rows.place.fault(
      "is \(JSONValue.string(found[index]).text()), expected \(JSONValue.string(texts?.text(of: id) ?? "token_id:\(id)").text()), the text of token id \(id)",
      field: "\(Self.tokensField)[\(index)]",
      remedy: "have exactly these tokens scored, with the tokenizer of the teacher")
  }

  /// Whether a server may write a token's text so: without the space that a text begins with, and without bytes that are no
  /// characters by themselves.
  private func isText(_ found: String, of id: Int32, at index: Int) -> Bool {
    let bytes = Array(found.utf8)
    if let named = TokenTexts.namedID(bytes) { return named == Int(id) }
    guard let text = texts?.text(of: id) else { return true }
    // Special tokens may be written as nothing.
    if found == text || found.isEmpty || text.unicodeScalars.contains("\u{FFFD}")
      || found.unicodeScalars.contains("\u{FFFD}")
    {
      return true
    }
    return index == 0 && text.hasPrefix(" ") && text.dropFirst() == found
  }

  // MARK: Lists

  private func strings(
    _ start: JSONScanner.Bookmark, _ scanner: inout JSONScanner, _ rows: ReportedRows
  ) throws -> [String] {
    try RowWalk.begin(start, &scanner, rows, Self.tokensField)
    var found: [String] = []
    while scanner.nextElement() {
      guard scanner.peekKind() == .string else {
        throw rows.place.fault("is no text", field: "\(Self.tokensField)[\(found.count)]")
      }
      found.append(try scanner.readString())
    }
    return found
  }

  private func numbers(
    _ start: JSONScanner.Bookmark, _ scanner: inout JSONScanner, _ rows: ReportedRows
  ) throws -> [Double?] {
    try RowWalk.begin(start, &scanner, rows, Self.ownField)
    var found: [Double?] = []
    while scanner.nextElement() {
      switch scanner.peekKind() {
      case .number: found.append(try scanner.readNumber())
      case .null:
        scanner.skipValue()
        found.append(nil)
      default: throw rows.place.fault("is no number", field: "\(Self.ownField)[\(found.count)]")
      }
    }
    return found
  }
}
