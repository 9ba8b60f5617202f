package import Methods
import Sequences
import Teachers
package import Tensor

/// The gradient of a step: a method's passes over its batch, cut into micro-batches that fit the memory.
package final class StepGradients {
  private let method: any Method
  private let microBatchTokens: Int
  private let collective: Collective
  /// What micro-batches are computed in; between steps anything else may be.
  package let arena = Arena()

  /// - Parameter microBatchTokens: Most tokens that are computed together, unless one example is longer.
  package init(_ method: any Method, microBatchTokens: Int, collective: Collective = .alone) {
    self.method = method
    self.microBatchTokens = microBatchTokens
    self.collective = collective
  }

  /// Adds the gradient of the batch's mean loss per scored position to those of the parameters that the method trains; where
  /// other forms of the samples stand beside them, the mean over those besides.
  ///
  /// The mean is over the whole batch, however it is cut: each micro-batch is scaled by one over the batch's scored
  /// positions, so the cut changes nothing but rounding.
  ///
  /// - Parameter progress: How far the run is, from 0 to 1.
  package func accumulate(_ examples: [Example], progress: Double = 0) -> StepLoss {
    func count(_ examples: some Sequence<Example>) -> Int {
      collective.scoredPositions(own: examples.reduce(0) { $0 + $1.lesson.sequence.scoredPositions.count })
    }
    let scored = count(examples), beside = count(examples.lazy.filter(\.isBeside))
    guard scored > 0 else { return StepLoss() }
    var total = StepLoss()
    for range in cut(examples) {
      let batch = MicroBatch(examples[range], progress: progress)
      if batch.packed.scoredRows.isEmpty {
        total += StepLoss(tokens: batch.packed.tokens.count)
        continue
      }
      arena.reset()
      total += method.accumulate(batch, scale: 1 / Float(batch.isBeside ? beside : scored - beside), in: arena)
      if total.offender != nil { break }
    }
    return collective.loss(own: total)
  }

  /// Student outputs never share a micro-batch with fixed data, nor do other forms of it, since their losses differ.
  private func cut(_ examples: [Example]) -> [Range<Int>] {
    Batches.inOrder(lengths: examples.map(\.lesson.sequence.count), tokens: microBatchTokens) { first, next in
      examples[first].isOfOneKind(with: examples[next])
    }
  }
}
