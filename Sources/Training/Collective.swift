import Methods
import Optimizers

/// All that depends on how many processes take a step together. Today it is one; whatever would have to be summed or agreed
/// on between several is decided here and nowhere else.
package struct Collective: Sendable {
  /// The one process of a run that has no others.
  package static let alone = Collective()

  /// Does, in the one process that is to, what is done once for all: reports and checkpoints.
  func once(_ body: () throws -> Void) rethrows { try body() }

  /// Scored positions of a step's whole batch, which the mean of its loss is over.
  ///
  /// - Parameter own: Those of this process's part.
  func scoredPositions(own: Int) -> Int { own }

  /// A step's loss over its whole batch.
  func loss(own: StepLoss) -> StepLoss { own }

  /// Makes the gradients those of the whole batch, and scales them down together where their norm is larger than allowed.
  ///
  /// - Parameter maximumNorm: 0 for none.
  /// - Returns: The norm before: that of all parameters that take part, as if they were one vector.
  func clip(_ optimizers: [AdamW], maximumNorm: Float) -> Float {
    AdamW.clipGradients(of: optimizers, maximumNorm: maximumNorm > 0 ? maximumNorm : .infinity)
  }
}
