import Models
import Samples
import Sequences

/// How large a piece of a step is.
struct PieceSize: Hashable {
  var tokens = 0
  /// Rows that go through the models: no sequence's last token does.
  var rows = 0
  var scored = 0
}

extension TrainingRun {
  /// Samples that are looked at; a longer run's largest piece is very likely among them.
  private static let samplesLookedAt = 1 << 16

  /// Sizes of the pieces that the run's steps are computed in, those of student outputs at their largest possible.
  func pieceSizes() throws -> Set<PieceSize> {
    let settings = configuration.training
    var pieces: Set<PieceSize> = []
    var order = order
    for step in 0..<min(totalSteps, max(Self.samplesLookedAt / settings.batchSize, 1)) {
      pieces.formUnion(Self.pieces(of: try order.batch(at: step).map { Self.size(try samples.entry($0)) }, settings))
    }
    if let replay = configuration.replay {
      let longest = samples.longestPrompt + replay.decoding.maximumNewTokens
      let tokens = min(longest, student.configuration.contextLength)
      let output = PieceSize(tokens: tokens, rows: tokens - 1, scored: tokens - 1)
      pieces.formUnion(Self.pieces(of: Array(repeating: output, count: settings.batchSize), settings))
    }
    return pieces
  }

  private static func pieces(of batch: [PieceSize], _ settings: ScheduleConfiguration) -> [PieceSize] {
    Batches.inOrder(lengths: batch.map(\.tokens), tokens: settings.microBatchTokens).map { range in
      batch[range].reduce(into: PieceSize()) { sum, sample in
        sum.tokens += sample.tokens
        sum.rows += sample.rows
        sum.scored += sample.scored
      }
    }
  }

  private static func size(_ sample: SampleIndex.Entry) -> PieceSize {
    PieceSize(
      tokens: sample.tokenCount, rows: max(sample.tokenCount - 1, 0), scored: sample.scoredPositions.count)
  }
}
