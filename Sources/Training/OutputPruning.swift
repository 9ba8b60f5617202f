package import Replay

/// Which versions of what the student wrote go: those that no step can draw from any more.
package struct OutputPruning {
  private let writer: ReplayWriter
  private let capacity: Int
  private let keep: Int

  /// - Parameters:
  ///   - writer: Of the run's store.
  ///   - capacity: How many of the newest samples are drawn from.
  ///   - keep: Fewest versions that stay.
  package init(of writer: ReplayWriter, drawnFrom capacity: Int, keep: Int) {
    self.writer = writer
    self.capacity = capacity
    self.keep = keep
  }

  /// - Parameter version: `SourceState/replayVersion` of the oldest checkpoint that is kept.
  package func prune(_ outputs: StudentOutputs, resumableAt version: Int) throws {
    try outputs.prune(drawnFrom: capacity, keep: keep, resumableAt: version, with: writer)
  }
}
