/// Which samples are computed together, decided from the whole data set.
///
/// A plan never looks at what has been done already, so a resumed run meets the same batches, and so the same bytes, as
/// an uninterrupted one. Samples of like length stand together; the longest come first, so that a batch too large for
/// the memory fails in the first second and the estimate of the time left errs on the safe side.
public struct BatchPlan: Sendable, Equatable {
  /// Sample indices, batch by batch; every index exactly once.
  public let batches: [[Int]]

  /// Groups samples of the given lengths into batches of at most `tokensPerBatch` tokens (a longer sample stands alone).
  public init(lengths: [Int], tokensPerBatch: Int) {
    let order = lengths.indices.sorted { (lengths[$0], $1) > (lengths[$1], $0) }
    var batches: [[Int]] = []
    var tokens = 0
    for index in order {
      if batches.isEmpty || tokens + lengths[index] > tokensPerBatch {
        batches.append([])
        tokens = 0
      }
      batches[batches.count - 1].append(index)
      tokens += lengths[index]
    }
    self.batches = batches
  }
}
