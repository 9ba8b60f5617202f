import Diagnostics
import JSON
import Sequences
import TeacherSignal

/// A server's answer beside the tokens that it is of:
///
///     {"token_ids": [1, 5, 9], "prompt_length": 2, "prompt_logprobs": [null, {...}, {...}]}
///     {"token_ids": [1, 5, 9], "scored_positions": [1], "meta_info": {...}}
///     {"token_ids": [1, 5, 9], "choices": [{"prompt_logprobs": [...]}]}
///
/// `prompt_token_ids` is `token_ids` too. Without `prompt_length` and `scored_positions` every token but the first is scored.
final class AnswerLine: LineReader {
  private let reader: AnswerReader
  private let rows: ReportedRows

  init(_ reader: AnswerReader) {
    self.reader = reader
    rows = ReportedRows(topK: reader.topK, vocabularySize: reader.vocabularySize)
  }

  func sample(_ scanner: inout JSONScanner, _ place: AnswerPlace) throws -> ScoredSample {
    rows.start(TokenSequence(tokenIDs: [], promptLength: 0), place)
    var members = AnswerMembers(), head = SampleHead()
    try scanner.beginObject()
    while scanner.nextKey(&rows.bytes) {
      if try head.take(rows.bytes, &scanner) { continue }
      if try !members.take(rows.bytes, &scanner, rows) { scanner.skipValue() }
    }
    let sequence = try head.sequence(place, vocabularySize: reader.vocabularySize)
    rows.start(sequence, place)
    try reader.read(members, &scanner, rows)
    return ScoredSample(sequence, signal: rows.finish())
  }
}
