import Fingerprints
public import LogitCache
import Sequences
import TeacherSignal

/// A cache as rows with the column that axolotl's offline distillation reads, `logprobs_field: logprobs`.
///
/// Each sample is one line, of L tokens and T entries of k ids each, k the cache's top-k:
///
///     v1: {"input_ids":[L],"logprobs":[[{"token":"token_id:123","logprob":-0.5}, ... k], ... T]}
///     v2: {"input_ids":[L],"logprobs":[[k], ... T],"target_token_ids":[[k], ... T]}
///
/// The reader lays the column against the end of the tokens, so that entry j stands at the place L - T + j of `input_ids`.
/// D(i) is the distribution of the token after `input_ids[i]`, and a sample's signal D(p), ..., D(L - 2), from the last
/// token of its prompt to the last but one of all. What stands at a place is said by ``Shift``.
///
/// The reader makes one tensor of a column: what a position lacks is filled up by ids that it does not have. It takes exp of
/// each log-prob, makes the row sum to one and takes the log again, all in fp32, so that anything that underflows is minus
/// infinity there and not a number in the loss, and so is a row without mass. Nothing is therefore below
/// ``leastLogProb``, neither fillers nor what the teacher said, and no row is fillers alone.
///
/// The reader makes its tokens from a conversation, and what the column is laid against are these: they have to end with
/// the same tokens as `input_ids`, which is there to be compared. The tail and the target's log-prob are not written.
public struct AxolotlRows: Sendable {
  /// At which place an entry stands.
  public enum Shift: Int, Sendable, CaseIterable {
    /// At that of the token that it is the distribution of, as axolotl documents it: entry j is D(L - T + j - 1), and T the
    /// number of scored positions. For a reader whose loss compares the entry at a place with the student's logits one
    /// place before, as axolotl's did until its pull request 2700.
    case none = 0
    /// One place before it, at that of the student's logits: entry j is D(L - T + j), and T one more than there are scored
    /// positions. For a reader that compares what stands at a place with the student's logits there, as axolotl does since
    /// (up to revision 067b021c8, by reading it).
    ///
    /// D(L - 1) is of no token and not known, but that reader counts the last place wherever its token is trained on, so
    /// that D(L - 2) stands there once more: the last token, mostly one that ends the text, is what may best follow it.
    /// D(p) stands at the last token of the prompt, which the reader masks, as it does every prompt token: it is given for a
    /// reader that masks by what is predicted.
    case one = 1
  }

  /// How an entry is written.
  public enum Version: String, Sendable, CaseIterable {
    /// A list of objects, each a token and its log-prob.
    case v1
    /// Log-probs, and ids in a column of their own.
    case v2
  }

  /// The log-prob of fillers, and the least that is written: exp of it, and of twice it for half the temperature, is an fp32
  /// number, and its mass is below 1e-17.
  public static let leastLogProb: Float = -40

  public var shift: Shift
  public var version: Version

  public init(shift: Shift, version: Version) {
    self.shift = shift
    self.version = version
  }

  /// Writes every sample of a cache as a line, in key order, holding one at a time.
  ///
  /// - Parameter output: Takes each line, newline included.
  /// - Returns: The number of samples.
  /// - Throws: what `output` throws; a `Diagnostic` of category `input` that names the sample whose positions are not one
  ///   run that ends the sequence, whose ids were drawn, or that is of another input than its tokens; or as
  ///   `LogitCache.forEachSample(in:_:)`.
  @discardableResult
  public func write(_ cache: LogitCache, _ output: ([UInt8]) throws -> Void) throws -> Int {
    let rows = EvenRows(width: cache.manifest.topK, filler: Self.leastLogProb)
    var count = 0
    try cache.forEachSample(in: .keys) { key, sample in
      try rows.check(sample, key, of: cache)
      guard !sample.positions.isEmpty else { throw EvenRows.refusal("has no position with a signal", key, cache) }
      guard sample.trainedSequence.promptLength != nil else {
        throw EvenRows.refusal("has a signal at positions that are not one run up to its last token", key, cache)
      }
      try output(line(sample, rows))
      count += 1
    }
    return count
  }

  private func line(_ sample: ScoredSample, _ rows: EvenRows) -> [UInt8] {
    var column = (0..<sample.positions.count).map { index in
      var row = rows.row(index, of: sample.signal)
      for place in row.logProbs.indices { row.logProbs[place] = max(row.logProbs[place], Self.leastLogProb) }
      return row
    }
    if shift == .one { column.append(column[column.count - 1]) }
    var line = ExportLine()
    line.member("input_ids") { $0.ids(sample.sequence.tokenIDs) }
    switch version {
    case .v1:
      line.member("logprobs") { line in
        line.list(column) { line, row in
          line.list(zip(row.ids, row.logProbs)) { $0.text("{\"token\":\"token_id:\($1.0)\",\"logprob\":\($1.1)}") }
        }
      }
    case .v2:
      line.member("logprobs") { $0.list(column) { $0.numbers($1.logProbs) } }
      line.member("target_token_ids") { $0.list(column) { $0.ids($1.ids) } }
    }
    line.end()
    return line.bytes
  }
}
