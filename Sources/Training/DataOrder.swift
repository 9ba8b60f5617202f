import RandomStreams

/// The order in which training visits its samples: a pure function of (seed, step), so that nothing of it needs saving.
///
/// Samples are numbered through over all data sets. One data set is gone through epoch by epoch: epoch e is a permutation
/// drawn from the stream `data order` split at e, and a batch that crosses the end of an epoch takes its rest from the next
/// one. Several data sets are visited in the shares of their weights (`Mixture`), each in the order that it would have by
/// itself.
public struct DataOrder: Sendable {
  /// Samples of all data sets.
  public let sampleCount: Int
  public let batchSize: Int
  private let mixture: Mixture?
  private var sets: [SetOrder]
  /// Number of each set's first sample.
  private let starts: [Int]

  /// - Parameters:
  ///   - counts: Samples of each data set.
  ///   - weights: One each; only their ratios matter.
  /// - Precondition: there is a data set, and counts, weights and batch size are positive.
  public init(counts: [Int], weights: [Double] = [1], batchSize: Int, seed: UInt64) {
    precondition(
      !counts.isEmpty && counts.allSatisfy { $0 > 0 } && counts.count == weights.count && batchSize > 0,
      "an order of \(counts) samples with the weights \(weights) in batches of \(batchSize)")
    self.batchSize = batchSize
    sampleCount = counts.reduce(0, +)
    starts = counts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    let stream = RandomStream(seed: seed, name: "data order")
    mixture =
      counts.count > 1 ? Mixture(weights: weights, stream: RandomStream(seed: seed, name: "data mixture")) : nil
    sets = counts.enumerated().map { number, count in
      SetOrder(count: count, stream: number == 0 ? stream : stream.split(UInt64.max - UInt64(number)))
    }
  }

  /// The order of a single data set.
  public init(sampleCount: Int, batchSize: Int, seed: UInt64) {
    self.init(counts: [sampleCount], batchSize: batchSize, seed: seed)
  }

  /// Sample numbers of the batch at `step`, from 0.
  public mutating func batch(at step: Int) -> [Int] {
    (step * batchSize..<(step + 1) * batchSize).map { visit in
      guard let mixture else { return sets[0].sample(atVisit: visit) }
      let place = mixture[visit]
      return starts[place.set] + sets[place.set].sample(atVisit: place.number)
    }
  }

  /// What changes with the way a run's order is drawn, for its provenance: a large data set is permuted without a list.
  package var version: String {
    zip(starts, starts.dropFirst()).contains { $1 - $0 > SetOrder.longestList } ? "permutation/1" : "list/1"
  }
}

/// The visits to one data set.
private struct SetOrder: Sendable {
  /// Up to this many samples an epoch is a shuffled list, as in all versions: half a megabyte. A longer one is a
  /// permutation that is computed place by place.
  static let longestList = 1 << 16

  private let count: Int
  private let stream: RandomStream
  /// The epoch of ``list``.
  private var epoch = -1
  private var list: [Int32] = []

  init(count: Int, stream: RandomStream) {
    self.count = count
    self.stream = stream
  }

  mutating func sample(atVisit visit: Int) -> Int {
    guard count <= Self.longestList else { return EpochOrder(count: count, stream: stream)[visit] }
    prepare(epoch: visit / count)
    return Int(list[visit % count])
  }

  private mutating func prepare(epoch wanted: Int) {
    guard wanted != epoch else { return }
    epoch = wanted
    var stream = stream.split(UInt64(wanted))
    list = Array(0..<Int32(count))
    list.shuffle(using: &stream)
  }
}
