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

  /// Makes the gradients those of the whole batch, and scales those of a group down together where their norm is larger than
  /// allowed.
  ///
  /// - Parameters:
  ///   - groups: The student's first.
  ///   - maximumNorm: 0 for none.
  /// - Returns: Each group's norm before: that of all its parameters, as if they were one vector.
  func clip(_ groups: [[AdamW]], maximumNorm: Float) -> [Float] {
    groups.map { AdamW.clipGradients(of: $0, maximumNorm: maximumNorm > 0 ? maximumNorm : .infinity) }
  }
}
