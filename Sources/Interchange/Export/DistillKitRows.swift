import Fingerprints
public import LogitCache
import Sequences
import TeacherSignal

/// A cache as rows that DistillKit trains from without its compression: its `decompress_to_sparse` takes `token_ids` and
/// `top_values` as they are.
///
/// Each sample is one line, of L tokens and k the cache's top-k:
///
///     {"input_ids":[L],"attention_mask":[L],"loss_mask":[L],"token_ids":[[k], ... L],"top_values":[[k], ... L]}
///
/// Row i is D(i), the distribution of the token after `input_ids[i]`, which is where the student's logits of position i
/// stand: nothing is shifted on the way. `loss_mask[i]` is 1 where row i holds a distribution, and 0 where it is nothing but
/// fillers: prompts, positions that a selection dropped, and the last token, after which nothing comes. It is a mask of
/// rows, not of tokens: 1 at i says that the token at i + 1 is predicted. `attention_mask` is 1 throughout, as a pack
/// numbers its documents from 1.
///
/// DistillKit wants every row of one width. What a row lacks has ``fillerLogProb`` and the smallest ids that the row does
/// not have: they differ, since `densify` scatters rows by id and a second 0 would overwrite the teacher's. Beside one real
/// entry a filler has no mass: exp(-10000) is 0 in every precision, and 0 times a finite logarithm adds 0 to a divergence,
/// where minus infinity would make it not a number; half precision holds it. A row of fillers alone is none that may be
/// trained from: a reader that makes a row sum to one, as DistillKit does unless missing mass is `symmetric_uniform`,
/// makes it uniform. DistillKit leaves out the rows at which `labels` are negative, by position, and counts all of them
/// where there are no `labels`; so give it `labels` that are `input_ids` where `loss_mask` is 1, and -100 elsewhere.
///
/// The tail's mass and the log-prob of the token that follows have no place there and are not written.
public struct DistillKitRows: Sendable {
  /// The log-prob of what fills a row up.
  public static let fillerLogProb: Float = -1e4

  public init() {}

  /// Writes every sample of a cache as a line, in key order, holding one at a time.
  ///
  /// - Parameter output: Takes each line, newline included.
  /// - Returns: The number of samples.
  /// - Throws: what `output` throws; a `Diagnostic` of category `input` that names the sample whose ids were drawn, or that
  ///   is of another input than its tokens; or as `LogitCache.forEachSample(in:_:)`.
  @discardableResult
  public func write(_ cache: LogitCache, _ output: ([UInt8]) throws -> Void) throws -> Int {
    let rows = EvenRows(width: cache.manifest.topK, filler: Self.fillerLogProb)
    var count = 0
    try cache.forEachSample(in: .keys) { key, sample in
      try rows.check(sample, key, of: cache)
      try output(Self.line(sample, rows))
      count += 1
    }
    return count
  }

  private static func line(_ sample: ScoredSample, _ rows: EvenRows) -> [UInt8] {
    let tokens = sample.sequence.tokenIDs
    var rowAt = [Int?](repeating: nil, count: tokens.count)
    for (row, position) in sample.positions.enumerated() { rowAt[position] = row }
    func row(_ index: Int?) -> EvenRows.Row { index.map { rows.row($0, of: sample.signal) } ?? rows.empty }
    var line = ExportLine()
    line.member("input_ids") { $0.ids(tokens) }
    line.member("attention_mask") { $0.list(tokens) { line, _ in line.text("1") } }
    line.member("loss_mask") { $0.list(rowAt) { $0.text($1 == nil ? "0" : "1") } }
    line.member("token_ids") { $0.list(rowAt) { $0.ids(row($1).ids) } }
    line.member("top_values") { $0.list(rowAt) { $0.numbers(row($1).logProbs) } }
    line.end()
    return line.bytes
  }
}
