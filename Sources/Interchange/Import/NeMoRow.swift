import Diagnostics
import JSON
import Sequences
import TeacherSignal

/// A row of NeMo-Aligner's `compute_topk_logits.py`: `tokens`, `labels` (the tokens one place on), `loss_mask`, and for
/// each of them `topk_logits` with `topk_token_ids` and `log_sum_exp_logits`, row i being the distribution of label i:
/// log p = logit - log-sum-exp.
///
/// The log-prob of a label that is not among the ids is not there. It is taken for the most that it can be: that of the least
/// probable id kept, or of all the others together.
final class NeMoRow: LineReader {
  private let rows: ReportedRows

  init(topK: Int, vocabularySize: Int) { rows = ReportedRows(topK: topK, vocabularySize: vocabularySize) }

  /// The members of a row; signals are read when the tokens are known.
  private struct Members {
    var tokens: [Int]?
    var labels: [Int]?
    var mask: [Double]?
    var normalizers: [Double]?
    var logits: JSONScanner.Bookmark?
    var ids: JSONScanner.Bookmark?
  }

  func sample(_ scanner: inout JSONScanner, _ place: AnswerPlace) throws -> ScoredSample {
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
    let values = try lists(logits, scored, count, "topk_logits", place, &scanner, SampleHead.numbers)
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
      case "loss_mask": found.mask = try SampleHead.numbers(&scanner)
      case "log_sum_exp_logits": found.normalizers = try SampleHead.numbers(&scanner)
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
    try rows.endRow(target: rows.mostLogProb(of: own), "topk_logits", position)
  }
}
