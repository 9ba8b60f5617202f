import Diagnostics
import Divergences
public import Models
public import Sequences
import TeacherSignal
public import Teachers
public import Tensor

/// Measures a model on texts: negative log-likelihood and, with a teacher, the distance to it.
///
/// Samples are packed without padding, and a row's arithmetic does not depend on its neighbours, so the batch size
/// changes speed and memory but no number.
public struct Evaluator {
  private let model: any CausalLanguageModel
  private let teacher: (any CausalLanguageModel)?
  private let asked: (any Teacher)?
  private let isCalibrating: Bool
  private let tokensPerBatch: Int
  private let arena: Arena?

  /// - Parameters:
  ///   - teacher: A model over the same token ids to compare with; its vocabulary may be padded to another size.
  ///   - asked: A teacher of whom top-k signals are had, such as a server, to compare with instead.
  ///   - calibrating: Also measure the calibration error, for which the most probable token of each position is looked up.
  ///   - tokensPerBatch: Tokens in one forward pass, unless a single sample is longer.
  ///   - arena: Memory to work in, whose tensors are taken back; nil for memory that is there while evaluating only.
  public init(
    model: any CausalLanguageModel, teacher: (any CausalLanguageModel)? = nil, asked: (any Teacher)? = nil,
    calibrating: Bool = false, tokensPerBatch: Int = 4096, arena: Arena? = nil
  ) {
    precondition(tokensPerBatch > 0, "\(tokensPerBatch) tokens in a batch")
    self.model = model
    self.teacher = teacher
    self.asked = asked
    isCalibrating = calibrating
    self.tokensPerBatch = tokensPerBatch
    self.arena = arena
  }

  /// Evaluates samples; means are over all scored tokens.
  ///
  /// - Parameter onProgress: Called after each batch with how many samples are done; what it throws ends the work.
  /// - Throws: a `Diagnostic` of category `input` naming the sample that is longer than a model's context or holds a
  ///   token outside its vocabulary, or where nothing is scored at all.
  public func evaluate(
    _ samples: [TokenSequence], onProgress: (Int) throws -> Void = { _ in }
  ) throws -> EvaluationReport {
    for (index, sample) in samples.enumerated() { try check(sample, index) }
    return try evaluate(count: samples.count, onProgress: onProgress) { samples[$0] }
  }

  /// The same of samples that are asked for by number, in order and some hundred at a time, so that any number takes no
  /// memory to speak of.
  public func evaluate(
    count: Int, onProgress: (Int) throws -> Void = { _ in }, sample: (Int) throws -> TokenSequence
  ) throws -> EvaluationReport {
    let arena = arena ?? Arena()
    arena.reset()
    var sums = ComparisonSums(), calibration = Calibration()
    for start in stride(from: 0, to: count, by: Self.windowSize) {
      let window = try (start..<min(start + Self.windowSize, count)).map(sample)
      for (index, sample) in window.enumerated() { try check(sample, start + index) }
      for batch in Batches.inOrder(lengths: window.map(\.count), tokens: tokensPerBatch) {
        for sample in try evaluate(batch: Array(window[batch]), arena, &calibration) { sums += sample }
        arena.reset()
        try onProgress(start + batch.upperBound)
      }
    }
    guard sums.rows > 0 else {
      throw Diagnostic.input(
        "\(count) samples have no token to score", remedy: "give rows with a response, or texts of two tokens")
    }
    var report = report(sums, sampleCount: count)
    if isCalibrating { report.calibrationError = calibration.error }
    return report
  }

  private static let windowSize = 512

  private func check(_ sample: TokenSequence, _ index: Int) throws {
    try SequenceLimits(model.configuration, role: "the model")
      .check(sample.tokenIDs, inputs: sample.count, name: "sample \(index)")
    guard let teacher else { return }
    try SequenceLimits(teacher.configuration, role: "the teacher")
      .check(sample.tokenIDs, inputs: sample.count, name: "sample \(index)")
  }

  private func report(_ sums: ComparisonSums, sampleCount: Int) -> EvaluationReport {
    let rows = Double(sums.rows)
    return EvaluationReport(
      nll: sums.studentNLL / rows, tokens: sums.rows, samples: sampleCount,
      teacher: teacher == nil && asked == nil
        ? nil
        : .init(
          forwardKL: sums.forwardKL / rows, reverseKL: sums.reverseKL / rows,
          top1Agreement: Double(sums.agreements) / rows, teacherNLL: sums.teacherNLL / rows))
  }

  /// One sum a sample, so that the total does not depend on the batches.
  private func evaluate(
    batch: [TokenSequence], _ arena: Arena, _ calibration: inout Calibration
  ) throws -> [ComparisonSums] {
    // A sample that scores nothing, an empty one too, need not go through the model.
    let scored = batch.filter { !$0.scoredPositions.isEmpty }
    if scored.isEmpty { return [] }
    let packed = PackedBatch(scored)
    var signal: SparseSignal?
    for sample in try asked?.samples(for: scored) ?? [] {
      if signal == nil { signal = sample.signal } else { signal?.append(sample.signal) }
    }
    let perRow = try measure(packed, signal, arena, &calibration)
    return packed.scoredRanges.map { range in perRow[range].reduce(into: ComparisonSums()) { $0 += $1 } }
  }

  /// One sum for each scored row.
  private func measure(
    _ batch: PackedBatch, _ signal: SparseSignal?, _ arena: Arena, _ calibration: inout Calibration
  ) throws -> [ComparisonSums] {
    let targets = batch.targets
    func hiddenStates(_ model: any CausalLanguageModel) -> Tensor {
      let tape = Tape(arena: arena, recording: false, precision: model.precision)
      return tape.gatherRows(model.hiddenStates(batch, on: tape), batch.scoredRows).value
    }
    let hidden = hiddenStates(model)
    let vocabulary = model.configuration.vocabularySize
    if isCalibrating {
      let best = try Scorer.topK(
        hidden: hidden, head: Head(reading: model.head, vocabulary: vocabulary, precision: model.precision),
        targets: targets, k: 1, arena: arena)
      for (row, target) in targets.enumerated() {
        calibration.add(logProb: best.logProbs[row], isHit: best.ids[row] == target)
      }
    }
    var perRow = [ComparisonSums](repeating: ComparisonSums(), count: targets.count)
    if let teacher {
      let common = min(vocabulary, teacher.configuration.vocabularySize)
      perRow = HeadComparison.rows(
        hidden: hidden, head: Head(reading: model.head, vocabulary: common, precision: model.precision),
        teacherHidden: hiddenStates(teacher),
        teacherHead: Head(reading: teacher.head, vocabulary: common, precision: teacher.precision), targets: targets,
        arena: arena)
      if teacher.configuration.vocabularySize >= vocabulary { return perRow }
    }
    if let signal, let asked {
      let common = min(vocabulary, asked.identity.vocabularySize)
      perRow = try HeadComparison.rows(
        hidden: hidden, head: Head(reading: model.head, vocabulary: common, precision: model.precision), signal: signal,
        targets: targets, arena: arena)
      if common == vocabulary { return perRow }
    }
    // The likelihood is over the model's whole vocabulary, with or without a teacher.
    let head = Head(reading: model.head, vocabulary: vocabulary, precision: model.precision)
    let sums = HeadLoss(divergence: nil, crossEntropyWeight: 1)
      .evaluate(hidden: hidden, head: head, targets: targets, teacher: .none, arena: arena)
    for (row, loss) in sums.perRow.enumerated() {
      perRow[row].rows = 1
      perRow[row].studentNLL = loss.crossEntropy
    }
    return perRow
  }
}
