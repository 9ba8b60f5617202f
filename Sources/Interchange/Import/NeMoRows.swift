import Diagnostics
import Files
import JSON
import Sequences
import TeacherSignal

/// Rows of NeMo-Aligner's `compute_topk_logits.py`, one a line: `tokens`, `labels` (the tokens one place on), `loss_mask`, and for
/// each of them `topk_logits` with `topk_token_ids` and `log_sum_exp_logits`, row i being the distribution of label i:
/// log p = logit - log-sum-exp.
///
/// The log-prob of a label that is not among the ids is not there. It is taken for the most that it can be: that of the least
/// probable id kept, or of all the others together.
final class NeMoRows: SignalSource {
  private let input: StreamedFile
  private let rows: ReportedRows
  private var line: [UInt8] = []
  private var number = 0

  init(_ input: StreamedFile, topK: Int, vocabularySize: Int) {
    self.input = input
    rows = ReportedRows(topK: topK, vocabularySize: vocabularySize)
  }

  func next() throws -> ScoredSample? {
    repeat {
      guard try input.readLine(&line) else { return nil }
      number += 1
    } while line.allSatisfy { $0 == 0x20 || $0 == 0x09 }
    return try sample(AnswerPlace(file: input.path, line: number))
  }

  /// The members of a row; signals are read when the tokens are known.
  private struct Members {
    var tokens: [Int]?
    var labels: [Int]?
    var mask: [Double]?
    var normalizers: [Double]?
    var logits: JSONScanner.Bookmark?
    var ids: JSONScanner.Bookmark?
  }

  private func sample(_ place: AnswerPlace) throws -> ScoredSample {
    let bytes = line
    var scanner = try JSONScanner(bytes.span, isObject: true, file: place.file, line: number)
    let members = try members(&scanner)
    let (sequence, count) = try sequence(members, place)
    rows.start(sequence, place)
    guard let logits = members.logits, let ids = members.ids, let normalizers = members.normalizers else {
      throw place.fault(
        "is missing",
        field: members.logits == nil ? "topk_logits" : members.ids == nil ? "topk_token_ids" : "log_sum_exp_logits",
        remedy: "write what compute_topk_logits.py does")
    }
    guard normalizers.count == count else {
      throw place.fault("has \(normalizers.count) numbers for \(count) tokens", field: "log_sum_exp_logits")
    }
    let scored = Set(sequence.scoredPositions)
    let kept = try lists(ids, scored, count, "topk_token_ids", place, &scanner, SampleHead.integers)
    let values = try lists(logits, scored, count, "topk_logits", place, &scanner, Self.numbers)
    for (index, position) in sequence.scoredPositions.enumerated() {
      try add(kept[index], values[index].map { $0 - normalizers[position] }, at: position, sequence, place)
    }
    return ScoredSample(sequence, signal: rows.finish())
  }

  private func members(_ scanner: inout JSONScanner) throws -> Members {
    var found = Members()
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      switch String(decoding: rows.bytes, as: UTF8.self) {
      case "tokens": found.tokens = try SampleHead.integers(&scanner)
      case "labels": found.labels = try SampleHead.integers(&scanner)
      case "loss_mask": found.mask = try Self.numbers(&scanner)
      case "log_sum_exp_logits": found.normalizers = try Self.numbers(&scanner)
      case "topk_logits":
        found.logits = scanner.bookmark
        scanner.skipValue()
      case "topk_token_ids":
        found.ids = scanner.bookmark
        scanner.skipValue()
      default: scanner.skipValue()
      }
    }
    return found
  }

  private static func numbers(_ scanner: inout JSONScanner) throws -> [Double] {
    var numbers: [Double] = []
    try scanner.beginArray()
    while scanner.nextElement() { numbers.append(try scanner.readNumber()) }
    return numbers
  }

  /// Tokens and the last label, with the positions that the mask scores.
  private func sequence(_ members: Members, _ place: AnswerPlace) throws -> (TokenSequence, count: Int) {
    guard let tokens = members.tokens, let labels = members.labels, let mask = members.mask, !tokens.isEmpty else {
      throw place.fault(
        "is missing or empty",
        field: members.tokens?.isEmpty != false ? "tokens" : members.labels == nil ? "labels" : "loss_mask",
        remedy: "write what compute_topk_logits.py does")
    }
    let count = tokens.count
    guard labels.count == count, mask.count == count else {
      throw place.fault("\(count) tokens have \(labels.count) labels and \(mask.count) masks", field: "labels")
    }
    for index in 0..<count - 1 where mask[index] != 0 && labels[index] != tokens[index + 1] {
      throw place.fault(
        "is \(labels[index]), but token \(index + 1) is \(tokens[index + 1]): labels are the tokens one place on",
        field: "labels[\(index)]", remedy: "write the row's tokens and labels as NeMo's data set has them")
    }
    let ids = tokens + [labels[count - 1]]
    for (index, id) in ids.enumerated() where id < 0 || id >= rows.vocabularySize {
      throw place.fault(
        "is \(id), outside of the vocabulary of \(rows.vocabularySize)",
        field: index < count ? "tokens[\(index)]" : "labels",
        remedy: "give the tokenizer of the teacher, or its --vocabulary")
    }
    let positions = (0..<count).filter { mask[$0] != 0 }
    return (TokenSequence(tokenIDs: ids.map(Int32.init), scoredPositions: ScoredPositions(positions)), count)
  }

  /// The lists of scored positions, of a list of as many lists as there are tokens.
  private func lists<Element>(
    _ start: JSONScanner.Bookmark, _ scored: Set<Int>, _ count: Int, _ field: StaticString, _ place: AnswerPlace,
    _ scanner: inout JSONScanner, _ list: (inout JSONScanner) throws -> [Element]
  ) throws -> [[Element]] {
    try RowWalk.begin(start, &scanner, rows, field)
    var found: [[Element]] = [], index = 0
    while scanner.nextElement() {
      if scored.contains(index) { found.append(try list(&scanner)) } else { scanner.skipValue() }
      index += 1
    }
    guard index == count else { throw place.fault("has \(index) rows for \(count) tokens", field: "\(field)") }
    return found
  }

  private func add(
    _ ids: [Int], _ logProbs: [Double], at position: Int, _ sequence: TokenSequence, _ place: AnswerPlace
  ) throws {
    guard ids.count == logProbs.count else {
      throw place.fault("has \(logProbs.count) logits for \(ids.count) ids", field: "topk_logits[\(position)]")
    }
    rows.startRow()
    for (id, logProb) in zip(ids, logProbs) { try rows.add(id, logProb, "topk_logits", position) }
    let own = sequence.tokenIDs[position + 1]
    let target = rows.logProb(of: own) ?? bound(logProbs)
    try rows.endRow(target: target, "topk_logits", position)
  }

  /// The most that the log-prob of an id which is not there can be.
  private func bound(_ logProbs: [Double]) -> Float {
    let kept = logProbs.map(Float.init)
    return SparseSignal.derivedTail(of: kept, vocabularySize: rows.vocabularySize).map { min($0, kept.min() ?? 0) } ?? 0
  }
}
