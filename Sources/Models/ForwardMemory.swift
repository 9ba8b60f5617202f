package import Tensor

/// Bytes that grow linearly with the rows that go through a model.
///
/// Everything that a model makes has a row for each row that goes in, so two small passes tell what it takes, whatever
/// its family.
public struct RowMemory: Sendable {
  private let fixed: Int
  private let perRow: Int

  /// Rows of the two passes: whole cache lines of any row-by-row tensor, so that rounding changes nothing.
  package static let probed = [16, 32]

  /// The line through the bytes measured at ``probed``.
  package init(_ bytes: [Int]) {
    perRow = (bytes[1] - bytes[0]) / (Self.probed[1] - Self.probed[0])
    fixed = bytes[0] - perRow * Self.probed[0]
  }

  public func callAsFunction(_ rows: Int) -> Int { fixed + perRow * rows }

  /// That many rows in sequences that the model's context holds.
  package static func packing(_ rows: Int, _ model: any CausalLanguageModel) -> Packing {
    let length = min(rows, model.configuration.contextLength)
    return Packing(lengths: stride(from: 0, to: rows, by: length).map { min(length, rows - $0) })
  }
}

/// What a forward pass from tokens to hidden states takes of an arena, nothing being recorded.
package struct ForwardMemory: Sendable {
  /// The most at any one time.
  package let peak: RowMemory
  /// What is left when it is done.
  package let kept: RowMemory

  /// Runs the model on a few rows.
  package init(_ model: any CausalLanguageModel) {
    let probes = RowMemory.probed.map { rows in
      let arena = Arena()
      let tape = Tape(arena: arena, recording: false, precision: model.precision)
      _ = model.hiddenStates([Int32](repeating: 0, count: rows), RowMemory.packing(rows, model), on: tape)
      return (peak: arena.peakBytes, kept: arena.usedBytes)
    }
    peak = RowMemory(probes.map(\.peak))
    kept = RowMemory(probes.map(\.kept))
  }
}
