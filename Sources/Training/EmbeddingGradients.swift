package import Methods
package import Models
import NN
import RandomStreams
import Sequences
package import Tensor

/// The gradient of a step of a model that gives texts their vectors: passes over its texts, cut into micro-batches that fit the
/// memory. How they are cut changes nothing but rounding.
package final class EmbeddingGradients {
  /// The rows of a step, of which each has as many texts.
  package struct Batch {
    /// The first texts of all rows, then the second ones, and so on.
    package var texts: [[Int32]]
    package var rowCount: Int
    /// What messages call a row.
    package var name: (Int) -> String

    package init(texts: [[Int32]], rowCount: Int, name: @escaping (Int) -> String) {
      (self.texts, self.rowCount, self.name) = (texts, rowCount, name)
    }
  }

  private let model: SentenceModel
  private let pooling: Pooling
  private let objective: any EmbeddingObjective
  private let microBatchTokens: Int
  /// What micro-batches are computed in; between steps anything else may be.
  package let arena = Arena()
  /// What lasts for a step.
  private let kept = Arena()

  /// - Parameter microBatchTokens: Most tokens that are computed together, unless one text is longer.
  package init(
    _ model: SentenceModel, _ pooling: Pooling, _ objective: any EmbeddingObjective, microBatchTokens: Int
  ) {
    (self.model, self.pooling, self.objective) = (model, pooling, objective)
    self.microBatchTokens = microBatchTokens
  }

  /// Adds the gradient of the mean loss of the batch's rows to those of what is trained.
  ///
  /// Where the objective compares rows and there are several micro-batches, the vectors of all are computed first, from them the
  /// loss and its gradients, and then each micro-batch again, to go backward through (gradient caching; Gao et al., arXiv
  /// 2101.06983), with the same masks of dropout.
  ///
  /// - Parameter teacher: Lays out what the teacher says of the rows, and what they are told apart from, in memory of an arena.
  package func accumulate(_ batch: Batch, teacher: (Arena) throws -> Tensor?) rethrows -> StepLoss {
    kept.reset()
    let step = EmbeddingStep(rowCount: batch.rowCount, teacher: try teacher(kept))
    let cuts = Batches.inOrder(lengths: batch.texts.map(\.count), tokens: microBatchTokens)
    let losses =
      objective.comparesRows && cuts.count > 1
      ? twice(batch, cuts, step) : RowLosses(joining: cuts.map { once(batch, $0, step) })
    let wrong = losses.perRow.firstIndex { !$0.isFinite }
    return StepLoss(
      terms: [.init("loss", weight: 1, sum: losses.perRow.reduce(0, +))]
        + losses.told.map { .init($0.name, weight: 0, sum: $0.value * Double(batch.rowCount)) },
      scoredPositions: batch.rowCount, tokens: batch.texts.reduce(0) { $0 + $1.count },
      offender: wrong.map(batch.name))
  }

  /// A micro-batch of whose rows the losses depend on nothing else that is computed in the step.
  private func once(_ batch: Batch, _ cut: Range<Int>, _ step: EmbeddingStep) -> RowLosses {
    arena.reset()
    let (tape, compared) = forward(batch.texts[cut], recording: true)
    let gradient = arena.zeros(compared.value.shape)
    let losses = objective.loss(
      compared.value, rows: objective.comparesRows ? 0..<batch.rowCount : cut, of: step,
      scale: 1 / Float(batch.rowCount), gradient: gradient, in: arena)
    tape.backward(from: compared, gradient: gradient)
    return losses
  }

  private func twice(_ batch: Batch, _ cuts: [Range<Int>], _ step: EmbeddingStep) -> RowLosses {
    var all: Tensor?
    var streams: [RandomStream?] = []
    for cut in cuts {
      arena.reset()
      streams.append(model.dropout?.stream)
      // Dropout is for passes that record.
      let compared = forward(batch.texts[cut], recording: model.dropout != nil).compared.value
      let vectors = all ?? kept.tensor([batch.texts.count, compared.columns])
      vectors.rows(cut).copy(from: compared)
      all = vectors
    }
    guard let all else { return RowLosses(perRow: []) }
    arena.reset()
    let gradient = kept.zeros(all.shape)
    let losses = objective.loss(
      all, rows: 0..<batch.rowCount, of: step, scale: 1 / Float(batch.rowCount), gradient: gradient, in: arena)
    for (cut, stream) in zip(cuts, streams) {
      arena.reset()
      if let stream { model.dropout?.stream = stream }
      let (tape, compared) = forward(batch.texts[cut], recording: true)
      tape.backward(from: compared, gradient: gradient.rows(cut))
    }
    return losses
  }

  private func forward(_ texts: ArraySlice<[Int32]>, recording: Bool) -> (tape: Tape, compared: Variable) {
    let tape = Tape(arena: arena, recording: recording, precision: model.precision)
    return (tape, objective.compared(model.vectors(of: Array(texts), pooling, on: tape), on: tape))
  }
}

extension RowLosses {
  /// Those of micro-batches, in their order; what is told beside them is told by each alike.
  init(joining parts: [RowLosses]) {
    self.init(perRow: parts.flatMap(\.perRow), told: parts.first?.told ?? [])
  }
}

// MARK: - Memory

extension EmbeddingGradients {
  /// What a micro-batch takes, in bytes, by its tokens: from two small passes. Gradients are zero afterwards, and nothing else has
  /// changed.
  package static func memory(
    _ model: SentenceModel, _ pooling: Pooling, _ objective: any EmbeddingObjective
  ) -> (_ tokens: Int) -> Int {
    let stream = model.dropout?.stream
    let context = model.limits(role: "the student").context
    let peaks = RowMemory.probed.map { tokens in
      let arena = Arena()
      let tape = Tape(arena: arena, recording: true, precision: model.precision)
      let lengths = stride(from: 0, to: tokens, by: context).map { min(context, tokens - $0) }
      let texts = lengths.map { [Int32](repeating: 0, count: $0) }
      let compared = objective.compared(model.vectors(of: texts, pooling, on: tape), on: tape)
      tape.backward(from: compared, gradient: arena.zeros(compared.value.shape))
      return arena.peakBytes
    }
    if let stream { model.dropout?.stream = stream }
    model.parameters.gradients?.fill(0)
    objective.beside?.parameters.gradients?.fill(0)
    let line = RowMemory(peaks)
    return { line($0) }
  }
}
