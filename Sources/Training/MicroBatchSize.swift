import Samples
import Sequences

/// How large a micro-batch of a step is.
package struct MicroBatchSize: Hashable {
  package var tokens = 0
  /// Rows that go through the models: no sequence's last token does.
  package var rows = 0
  package var scored = 0

  private init() {}

  private init(tokens: Int, rows: Int, scored: Int) {
    (self.tokens, self.rows, self.scored) = (tokens, rows, scored)
  }

  /// Samples that are looked at; a longer run's largest micro-batch is very likely among them.
  private static let samplesLookedAt = 1 << 16

  /// Sizes of the micro-batches that a run's steps are computed in.
  ///
  /// - Parameters:
  ///   - order: In which the samples are visited.
  ///   - totalSteps: Of the run.
  ///   - longestOutput: Tokens of the longest text that the student may write; nil where it writes none. Its outputs count at
  ///     their largest possible.
  ///   - microBatchTokens: Most tokens computed together.
  package static func all(
    of data: TrainingData, order: DataOrder, totalSteps: Int, longestOutput: Int?, microBatchTokens: Int
  ) throws -> Set<MicroBatchSize> {
    var sizes: Set<MicroBatchSize> = []
    var order = order
    for step in 0..<min(totalSteps, max(samplesLookedAt / order.batchSize, 1)) {
      sizes.formUnion(cut(try order.batch(at: step).map { size(try data.entry($0)) }, microBatchTokens))
    }
    if let tokens = longestOutput {
      let output = MicroBatchSize(tokens: tokens, rows: tokens - 1, scored: tokens - 1)
      sizes.formUnion(cut(Array(repeating: output, count: order.batchSize), microBatchTokens))
    }
    return sizes
  }

  private static func cut(_ batch: [MicroBatchSize], _ microBatchTokens: Int) -> [MicroBatchSize] {
    Batches.inOrder(lengths: batch.map(\.tokens), tokens: microBatchTokens).map { range in
      batch[range].reduce(into: MicroBatchSize()) { sum, sample in
        sum.tokens += sample.tokens
        sum.rows += sample.rows
        sum.scored += sample.scored
      }
    }
  }

  private static func size(_ sample: SampleIndex.Entry) -> MicroBatchSize {
    MicroBatchSize(
      tokens: sample.tokenCount, rows: max(sample.tokenCount - 1, 0), scored: sample.scoredCount)
  }
}
