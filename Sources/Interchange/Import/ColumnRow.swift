import Diagnostics
import JSON
import Sequences
import TeacherSignal

/// A row whose columns are lists with an entry for each place of `input_ids`, or for the last ones: what ``DistillKitRows`` and
/// ``AxolotlRows`` write, and the tools that they are for.
///
/// The tail is derived. Neither layout has the log-prob of the token that follows: where it is not among the ids, it is taken for
/// the most that it can be. Entries at or below the layout's ``Layout/least`` are fillers and left out; the others are at
/// least as many as the top-k, or the row has fillers.
final class ColumnRow: LineReader {
  /// What stands where.
  enum Layout: Sendable {
    /// Ids in `token_ids`, log-probs in `top_values`: entry i is D(i). Scored are the places at which `loss_mask` is 1 and
    /// `labels` are not negative; without either those that are more than fillers.
    case distillKit
    /// v1 and v2 of axolotl's column, laid against the end of the tokens.
    case axolotl(AxolotlRows.Shift)

    /// Fillers have this log-prob, or less: no model in fp32 gives one below -1000.
    var least: Double {
      switch self {
      case .distillKit: -1000
      case .axolotl: Double(AxolotlRows.leastLogProb)
      }
    }

    var idsField: StaticString {
      switch self {
      case .distillKit: "token_ids"
      case .axolotl: "target_token_ids"
      }
    }

    var valuesField: StaticString {
      switch self {
      case .distillKit: "top_values"
      case .axolotl: "logprobs"
      }
    }
  }

  private let layout: Layout
  private let rows: ReportedRows

  init(_ layout: Layout, topK: Int, vocabularySize: Int) {
    self.layout = layout
    rows = ReportedRows(topK: topK, vocabularySize: vocabularySize)
  }

  private struct Members {
    var tokens: [Int]?
    /// Places that may be scored: of masks and labels.
    var masks: [(name: String, isScored: [Bool])] = []
    var ids: [[Int]]?
    var logProbs: [[Double]]?
  }

  /// The entries of a place that are no fillers.
  private struct Entries {
    var ids: [Int]
    var logProbs: [Double]
    var isWhole: Bool
  }

  func sample(_ scanner: inout JSONScanner, _ place: AnswerPlace) throws -> ScoredSample {
    var members = Members()
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      try take(String(decoding: rows.bytes, as: UTF8.self), &scanner, &members, place)
    }
    let tokens = try tokens(members, place)
    let entries = try entries(members, place)
    let first = try firstPosition(entries.count, tokens.count, place)
    let positions = try scored(members, entries, first, tokens.count, place)
    let sequence = TokenSequence(tokenIDs: tokens, scoredPositions: ScoredPositions(positions))
    rows.start(sequence, place)
    for position in positions {
      let index = position - first, row = entries[index]
      rows.startRow()
      for (id, logProb) in zip(row.ids, row.logProbs) { try rows.add(id, logProb, layout.valuesField, index) }
      try rows.endRow(
        target: rows.mostLogProb(of: tokens[position + 1]), mayHaveFewer: !row.isWhole, layout.valuesField, index)
    }
    return ScoredSample(sequence, signal: rows.finish())
  }

  // MARK: Members

  private func take(
    _ name: String, _ scanner: inout JSONScanner, _ members: inout Members, _ place: AnswerPlace
  ) throws {
    switch name {
    case "input_ids": members.tokens = try SampleHead.integers(&scanner)
    case "\(layout.idsField)": members.ids = try Self.lists(&scanner, SampleHead.integers)
    case "\(layout.valuesField)": try takeValues(&scanner, &members, place)
    case "loss_mask": members.masks.append((name, try SampleHead.numbers(&scanner).map { $0 != 0 }))
    case "labels": members.masks.append((name, try SampleHead.integers(&scanner).map { $0 >= 0 }))
    case "attention_mask":
      // DistillKit's packs number their documents from 1.
      if let index = try SampleHead.integers(&scanner).firstIndex(where: { $0 > 1 }) {
        throw place.fault(
          "is above 1: the row is a pack of several documents", field: "attention_mask[\(index)]",
          remedy: "give the rows before they were packed, a document each")
      }
    default: scanner.skipValue()
    }
  }

  /// Log-probs; in axolotl's v1 with the ids beside them.
  private func takeValues(_ scanner: inout JSONScanner, _ members: inout Members, _ place: AnswerPlace) throws {
    var ids: [[Int]] = [], isNamed = false
    members.logProbs = try Self.lists(&scanner) { scanner in
      var logProbs: [Double] = [], named: [Int] = []
      try scanner.beginArray()
      while scanner.nextElement() {
        guard case .axolotl = layout, scanner.peekKind() == .object else {
          logProbs.append(try scanner.readNumber())
          continue
        }
        let (id, logProb) = try namedEntry(&scanner, ids.count, place)
        named.append(id)
        logProbs.append(logProb)
        isNamed = true
      }
      ids.append(named)
      return logProbs
    }
    if isNamed { members.ids = ids }
  }

  /// `{"token": "token_id:123", "logprob": -0.5}`.
  private func namedEntry(
    _ scanner: inout JSONScanner, _ row: Int, _ place: AnswerPlace
  ) throws -> (id: Int, logProb: Double) {
    var id: Int?, logProb: Double?, text: [UInt8] = []
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      switch String(decoding: rows.bytes, as: UTF8.self) {
      case "token":
        text.removeAll(keepingCapacity: true)
        try scanner.readString(appendingTo: &text)
        id = TokenTexts.namedID(text)
      case "logprob": logProb = try scanner.readNumber()
      default: scanner.skipValue()
      }
    }
    guard let id, let logProb else {
      throw place.fault(
        "has an entry without \(id == nil ? "the token as token_id:N" : "logprob")",
        field: "\(layout.valuesField)[\(row)]",
        remedy: "write what axolotl's documentation has, or ids and log-probs in columns of their own")
    }
    return (id, logProb)
  }

  private static func lists<Element>(
    _ scanner: inout JSONScanner, _ list: (inout JSONScanner) throws -> Element
  ) throws -> [Element] {
    var found: [Element] = []
    try scanner.beginArray()
    while scanner.nextElement() { found.append(try list(&scanner)) }
    return found
  }

  // MARK: What they say

  private func tokens(_ members: Members, _ place: AnswerPlace) throws -> [Int32] {
    guard let tokens = members.tokens else {
      throw place.fault(
        "is missing", field: "input_ids",
        remedy: "write the ids of the row's tokens beside what the teacher says of them")
    }
    for (index, id) in tokens.enumerated() where id < 0 || id >= rows.vocabularySize {
      throw place.fault(
        "is \(id), outside of the vocabulary of \(rows.vocabularySize)", field: "input_ids[\(index)]",
        remedy: "give the tokenizer of the teacher, or its --vocabulary")
    }
    return tokens.map(Int32.init)
  }

  private func entries(_ members: Members, _ place: AnswerPlace) throws -> [Entries] {
    guard let ids = members.ids, let logProbs = members.logProbs else {
      throw place.fault(
        "is missing", field: "\(members.logProbs == nil ? layout.valuesField : layout.idsField)",
        remedy: "docs/formats.md has the columns of each layout")
    }
    guard ids.count == logProbs.count else {
      throw place.fault(
        "has \(ids.count) rows, and there are \(logProbs.count) of log-probs", field: "\(layout.idsField)")
    }
    return try zip(ids, logProbs).enumerated().map { index, row in
      let (ids, logProbs) = row
      guard ids.count == logProbs.count else {
        throw place.fault("has \(ids.count) ids for \(logProbs.count) log-probs", field: "\(layout.idsField)[\(index)]")
      }
      let kept = ids.indices.filter { logProbs[$0] > layout.least }
      return Entries(
        ids: kept.map { ids[$0] }, logProbs: kept.map { logProbs[$0] }, isWhole: kept.count == ids.count)
    }
  }

  /// The position that the first entry is the distribution of; -1 for one of the first token, before which nothing stands.
  private func firstPosition(_ rowCount: Int, _ tokenCount: Int, _ place: AnswerPlace) throws -> Int {
    switch layout {
    case .distillKit:
      guard rowCount == tokenCount else {
        throw place.fault("has \(rowCount) rows for \(tokenCount) tokens", field: "\(layout.valuesField)")
      }
      return 0
    case .axolotl(let shift):
      guard rowCount <= tokenCount else {
        throw place.fault("has \(rowCount) rows for \(tokenCount) tokens", field: "\(layout.valuesField)")
      }
      return tokenCount - rowCount - 1 + shift.rawValue
    }
  }

  /// Positions that have an entry and a next token, are more than fillers, and that no mask leaves out.
  private func scored(
    _ members: Members, _ entries: [Entries], _ first: Int, _ tokenCount: Int, _ place: AnswerPlace
  ) throws -> [Int] {
    for (name, isScored) in members.masks where isScored.count != tokenCount {
      throw place.fault("has \(isScored.count) entries for \(tokenCount) tokens", field: name)
    }
    return entries.indices.map { $0 + first }.filter { position in
      guard position >= 0, position + 1 < tokenCount else { return false }
      switch layout {
      case .distillKit where !members.masks.isEmpty: return members.masks.allSatisfy { $0.isScored[position] }
      // A mask of axolotl's is of the tokens that are trained on.
      case .axolotl where !members.masks.isEmpty: return members.masks.allSatisfy { $0.isScored[position + 1] }
      default: return !entries[position - first].ids.isEmpty
      }
    }
  }
}
