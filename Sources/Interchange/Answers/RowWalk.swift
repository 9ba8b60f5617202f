import Diagnostics
import JSON
import Sequences

/// A walk over a list that has an entry for each token, of which those behind scored positions are read.
enum RowWalk {
  /// Calls `body` at the entries of scored positions, in order, and passes over the others.
  ///
  /// - Parameters:
  ///   - bookmark: Where the list begins.
  ///   - field: Its name, for messages.
  ///   - first: Number of leading tokens that it has no entry for.
  ///   - surplus: Most entries it may have behind those of the tokens.
  ///   - beginsWithNull: Whether the first token's entry must be null, as nothing stands before it.
  ///   - body: Reads the entry of a token, by the token's index.
  static func overScored(
    _ bookmark: JSONScanner.Bookmark, _ scanner: inout JSONScanner, _ rows: ReportedRows, _ field: StaticString,
    first: Int = 0, surplus: Int = 0, beginsWithNull: Bool = false, _ body: (Int, inout JSONScanner) throws -> Void
  ) throws {
    let tokens = rows.sequence.count
    try begin(bookmark, &scanner, rows, field)
    var scored = rows.sequence.scoredPositions.makeIterator()
    var next = scored.next()
    var token = first
    while scanner.nextElement() {
      if let position = next, position + 1 == token {
        guard scanner.peekKind() != .null else {
          throw rows.place.fault(
            "is null, and position \(position) is scored", field: "\(field)[\(token - first)]",
            remedy: "ask for the whole prompt: this server reports nothing of that token")
        }
        try body(token, &scanner)
        next = scored.next()
      } else {
        if token == 0 && beginsWithNull && scanner.peekKind() != .null { throw notNull(rows, field) }
        scanner.skipValue()
      }
      token += 1
    }
    guard token >= tokens && token <= tokens + surplus, next == nil else {
      throw wrongCount(token - first, rows, field, first: first)
    }
  }

  static func begin(
    _ bookmark: JSONScanner.Bookmark, _ scanner: inout JSONScanner, _ rows: ReportedRows, _ field: StaticString
  ) throws {
    scanner.go(to: bookmark)
    guard scanner.peekKind() == .array else { throw rows.place.fault("is no list", field: "\(field)") }
    try scanner.beginArray()
  }

  static func wrongCount(_ found: Int, _ rows: ReportedRows, _ field: StaticString, first: Int = 0) -> Diagnostic {
    rows.place.fault(
      "has \(found) entries, expected \(rows.sequence.count - first), one for each token"
        + (first == 0 ? "" : " but the first"), field: "\(field)",
      remedy: "have exactly these tokens scored, in one request; what was cut short is to be asked for again")
  }

  private static func notNull(_ rows: ReportedRows, _ field: StaticString) -> Diagnostic {
    rows.place.fault(
      "is not null: nothing stands before the first token, so the rows are shifted",
      field: "\(field)[0]", remedy: "give rows as the server writes them, entry i for token i")
  }
}
