import RandomStreams

/// The order in which training visits its samples: a pure function of (seed, step), so that nothing of it needs saving.
///
/// Epoch e is the permutation drawn from the stream `data order` split at e; a batch that crosses the end of an epoch
/// takes its rest from the next one.
public struct DataOrder: Sendable {
  public let sampleCount: Int
  public let batchSize: Int
  private let stream: RandomStream
  private var epoch = -1
  private var permutation: [Int] = []

  /// - Precondition: both counts are positive.
  public init(sampleCount: Int, batchSize: Int, seed: UInt64) {
    precondition(sampleCount > 0 && batchSize > 0, "an order of \(sampleCount) samples in batches of \(batchSize)")
    self.sampleCount = sampleCount
    self.batchSize = batchSize
    stream = RandomStream(seed: seed, name: "data order")
  }

  /// Sample indices of the batch at `step`, from 0.
  public mutating func batch(at step: Int) -> [Int] {
    (step * batchSize..<(step + 1) * batchSize).map { visit in
      prepare(epoch: visit / sampleCount)
      return permutation[visit % sampleCount]
    }
  }

  private mutating func prepare(epoch wanted: Int) {
    guard wanted != epoch else { return }
    epoch = wanted
    var epochStream = stream.split(UInt64(wanted))
    permutation = Array(0..<sampleCount)
    permutation.shuffle(using: &epochStream)
  }
}
