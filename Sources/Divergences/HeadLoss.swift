import TeacherSignal
public import Tensor

/// What a row costs, in nats, whatever it weighs.
public struct RowLoss: Sendable, Equatable {
  /// The divergence from the teacher; 0 where it was not asked for.
  public var divergence: Double
  /// -log q of the target; 0 where there are no targets.
  public var crossEntropy: Double

  public init(divergence: Double = 0, crossEntropy: Double = 0) {
    self.divergence = divergence
    self.crossEntropy = crossEntropy
  }
}

/// Losses summed over rows, in nats; sums are in double and in row order.
public struct LossSums: Sendable, Equatable {
  /// Sum of the rows' divergences, each times its row weight.
  public var divergence = 0.0
  /// Sum of the row weights behind ``divergence``: the number of rows where no row weights were given.
  public var divergenceRows = 0.0
  /// Sum of the rows' cross-entropies, each times its row weight. Reported where targets are given, even if its weight
  /// in the loss is 0: it costs nothing.
  public var crossEntropy = 0.0
  /// Sum of the row weights behind ``crossEntropy``.
  public var crossEntropyRows = 0.0
  /// Number of rows, masked ones included.
  public var rows: Int { perRow.count }
  /// Each row's losses, unweighted; masked rows are zero.
  public var perRow: [RowLoss] = []

  public init() {}

  /// Mean over rows, by row weight; 0 over no rows.
  public var meanDivergence: Double { divergenceRows == 0 ? 0 : divergence / divergenceRows }
  /// Mean over rows, by row weight; 0 over no rows.
  public var meanCrossEntropy: Double { crossEntropyRows == 0 ? 0 : crossEntropy / crossEntropyRows }

  /// Adds the sums of other rows, which follow these.
  public static func += (sums: inout LossSums, other: LossSums) {
    sums.divergence += other.divergence
    sums.divergenceRows += other.divergenceRows
    sums.crossEntropy += other.crossEntropy
    sums.crossEntropyRows += other.crossEntropyRows
    sums.perRow += other.perRow
  }
}

/// The language-model head fused with the loss: logits, softmax, divergence and gradients for a chunk of rows at once.
///
/// The loss is `scale * sum over rows i of (divergenceWeight * d[i] * D[i] + crossEntropyWeight * c[i] * CE[i])`, where
/// d and c are the row weights. Terms of zero weight are left out, not multiplied by 0, so the logits of a masked row
/// may hold anything.
public struct HeadLoss: Sendable {
  /// The objective's divergence, and its parameters.
  public var objective: Objective
  /// Weight of the divergence in the loss.
  public var divergenceWeight: Float
  /// Weight of the cross-entropy with the targets in the loss.
  public var crossEntropyWeight: Float
  /// Number of token ids that the student, the teacher and the data share: the first `vocabulary` rows of the heads.
  /// Heads may be padded beyond it to different sizes; those rows get neither probability nor gradient.
  public var vocabulary: Int
  /// Of the products with the head, forward and backward.
  public var precision: Precision
  /// Rows of logits held at a time; nil to choose by ``vocabulary``.
  public var chunkRows: Int?

  public init(
    objective: Objective, divergenceWeight: Float = 1, crossEntropyWeight: Float = 0, vocabulary: Int,
    precision: Precision = .fp32, chunkRows: Int? = nil
  ) {
    precondition(vocabulary > 0, "a loss over \(vocabulary) token ids")
    self.objective = objective
    self.divergenceWeight = divergenceWeight
    self.crossEntropyWeight = crossEntropyWeight
    self.vocabulary = vocabulary
    self.precision = precision
    self.chunkRows = chunkRows
  }

  /// The method of the same name in one call, for callers that keep no settings.
  public static func evaluate(
    hidden: Tensor, head: Parameter, targets: [Int32], teacher: TeacherRows, objective: Objective,
    divergenceWeight: Float, crossEntropyWeight: Float, scale: Float, hiddenGradient: Tensor?,
    accumulateHeadGradient: Bool, vocabulary: Int, precision: Precision = .fp32, arena: Arena
  ) -> LossSums {
    HeadLoss(
      objective: objective, divergenceWeight: divergenceWeight, crossEntropyWeight: crossEntropyWeight,
      vocabulary: vocabulary, precision: precision
    ).evaluate(
      hidden: hidden, head: head, targets: targets, teacher: teacher, scale: scale, hiddenGradient: hiddenGradient,
      accumulateHeadGradient: accumulateHeadGradient, arena: arena)
  }

  /// The losses of some rows and, where asked, the gradients of the loss.
  ///
  /// A NaN among the logits makes the row's loss NaN.
  ///
  /// - Parameters:
  ///   - hidden: The student's hidden states at the scored positions, `[rows, hidden size]`, after the final norm.
  ///   - head: The student's head, `[at least vocabulary, hidden size]`.
  ///   - targets: The token that follows each row; may be empty where the cross-entropy has weight 0.
  ///   - divergenceRowWeights: One factor a row for the divergence, 0 for a masked row; nil for 1 everywhere.
  ///   - crossEntropyRowWeights: The same for the cross-entropy.
  ///   - scale: A factor for the gradients alone, such as 1 over the rows of all batches of an optimizer step.
  ///   - hiddenGradient: Where to write the gradient with respect to `hidden`, overwritten; nil to leave it out.
  ///   - accumulateHeadGradient: Whether to add to the head's gradient, where it has one.
  ///   - arena: Lends the chunk of logits.
  public func evaluate(
    hidden: Tensor, head: Parameter, targets: [Int32], teacher: TeacherRows, divergenceRowWeights: [Float]? = nil,
    crossEntropyRowWeights: [Float]? = nil, scale: Float = 1, hiddenGradient: Tensor? = nil,
    accumulateHeadGradient: Bool = false, arena: Arena
  ) -> LossSums {
    let rows = hidden.rows
    check(hidden, head, targets, teacher, divergenceRowWeights, crossEntropyRowWeights, hiddenGradient)
    let headGradient = accumulateHeadGradient ? head.gradient?.rows(0..<vocabulary) : nil
    let plan = RowPlan(
      loss: self, pass: RowPass(objective), targets: targets, teacher: teacher, scale: Double(scale),
      divergenceRowWeights: divergenceRowWeights, crossEntropyRowWeights: crossEntropyRowWeights,
      gradient: headGradient != nil || hiddenGradient != nil)
    let chunk = chunkRows(of: rows)
    let headRows = HeadRows(head.weights, vocabulary: vocabulary, precision: precision)
    let forward = headRows.forward(chunks: rows > chunk, arena)
    let backward = hiddenGradient.map { _ in headRows.backward(chunks: rows > chunk, arena) }
    let logits = arena.tensor([chunk, vocabulary])
    let teacherLogits = plan.isDense ? arena.tensor([chunk, vocabulary]) : nil
    let teacherForward = plan.teacherHead(vocabulary: vocabulary)?.forward(chunks: rows > chunk, arena)
    let perRow = TaskResults.collect(rows, initial: RowLoss()) { results in
      Chunks.forEach(rows, rows: chunk) { range in
        let hiddenRows = hidden.rows(range)
        let chunkLogits = logits.rows(0..<range.count)
        forward.multiply(hiddenRows, into: chunkLogits)
        if let teacherLogits, let teacherForward, case .dense(let teacherHidden, _, _) = teacher {
          teacherForward.multiply(teacherHidden.rows(range), into: teacherLogits.rows(0..<range.count))
        }
        Engine.parallel(count: range.count, grain: Chunks.grain(vocabulary: vocabulary)) { group in
          for i in group {
            results[range.lowerBound + i] = unsafe plan.row(
              range.lowerBound + i, chunkLogits.row(i), teacher: teacherLogits?.row(i))
          }
        }
        if let hiddenGradient, let backward { backward.multiply(chunkLogits, into: hiddenGradient.rows(range)) }
        if let headGradient {
          Gemm.multiply(
            chunkLogits, transposeA: true, hiddenRows, into: headGradient, accumulate: true, precision: precision)
        }
      }
    }
    return plan.sums(perRow)
  }

  /// Bytes that ``evaluate(hidden:head:targets:teacher:divergenceRowWeights:crossEntropyRowWeights:scale:hiddenGradient:accumulateHeadGradient:arena:)``
  /// takes of its arena for so many rows, gradients included: the chunk of logits and another for those of a live teacher;
  /// where there are several chunks, the heads laid out for their products.
  package func scratchBytes(rows: Int, head: Weights, teacher: (head: Weights, precision: Precision)?) -> Int {
    let chunk = chunkRows(of: rows)
    let teacher = compares ? teacher : nil
    let logits = chunk * vocabulary * (teacher == nil ? 1 : 2) * MemoryLayout<Float>.stride
    guard rows > chunk else { return logits }
    let own = HeadRows(head, vocabulary: vocabulary, precision: precision)
    let theirs = teacher.map { HeadRows($0.head, vocabulary: vocabulary, precision: $0.precision) }
    return logits + own.forwardBytes + own.backwardBytes + (theirs?.forwardBytes ?? 0)
  }

  /// Whether the divergence is computed at all.
  fileprivate var compares: Bool { objective.needsTeacher && divergenceWeight != 0 }

  private func chunkRows(of rows: Int) -> Int {
    min(chunkRows ?? Chunks.rows(vocabulary: vocabulary), max(rows, 1))
  }

  private func check(
    _ hidden: Tensor, _ head: Parameter, _ targets: [Int32], _ teacher: TeacherRows, _ divergenceRowWeights: [Float]?,
    _ crossEntropyRowWeights: [Float]?, _ hiddenGradient: Tensor?
  ) {
    let rows = hidden.rows
    precondition(
      head.value.rows >= vocabulary && head.value.columns == hidden.columns,
      "a head of \(head.shape) does not fit a vocabulary of \(vocabulary) and hidden states of \(hidden.shape)")
    precondition(
      targets.count == rows || (targets.isEmpty && crossEntropyWeight == 0), "\(targets.count) targets for \(rows) rows"
    )
    precondition(
      targets.allSatisfy { $0 >= 0 && $0 < vocabulary },
      "a target is outside the common vocabulary of \(vocabulary)")
    precondition(
      (divergenceRowWeights?.count ?? rows) == rows && (crossEntropyRowWeights?.count ?? rows) == rows,
      "row weights do not count \(rows) rows")
    precondition(
      hiddenGradient.map { $0.rows == rows && $0.columns == hidden.columns } ?? true,
      "a gradient of \(hiddenGradient?.shape ?? []) for hidden states of \(hidden.shape)")
    switch teacher {
    case .none:
      precondition(
        !objective.needsTeacher || divergenceWeight == 0,
        "the objective \(objective.name) has no teacher to compare with")
    case .sparse(let signal):
      precondition(signal.positionCount == rows, "a signal of \(signal.positionCount) positions for \(rows) rows")
      precondition(
        signal.kind.isRanked && signal.ids.allSatisfy { $0 >= 0 && $0 < vocabulary },
        "the teacher's \(signal.kind.rawValue) is not one that can be compared with within a vocabulary of \(vocabulary)"
      )
    case .dense(let teacherHidden, let teacherHead, _):
      precondition(
        teacherHidden.rows == rows && teacherHead.rows >= vocabulary && teacherHead.columns == teacherHidden.columns,
        "a teacher of states \(teacherHidden.shape) and head [\(teacherHead.rows), \(teacherHead.columns)] for \(rows) rows of \(vocabulary) ids"
      )
    }
  }
}

/// What one evaluation does to each of its rows.
private struct RowPlan {
  let loss: HeadLoss
  let pass: RowPass
  let targets: [Int32]
  let teacher: TeacherRows
  let scale: Double
  let divergenceRowWeights: [Float]?
  let crossEntropyRowWeights: [Float]?
  let gradient: Bool

  var compares: Bool { loss.compares }
  var isDense: Bool { if case .dense = teacher { compares } else { false } }

  /// The head of a live teacher that is compared with.
  func teacherHead(vocabulary: Int) -> HeadRows? {
    guard isDense, case .dense(_, let head, let precision) = teacher else { return nil }
    return HeadRows(head, vocabulary: vocabulary, precision: precision)
  }

  private func divergenceWeight(_ row: Int) -> Float { compares ? divergenceRowWeights?[row] ?? 1 : 0 }
  private func crossEntropyWeight(_ row: Int) -> Float { targets.isEmpty ? 0 : crossEntropyRowWeights?[row] ?? 1 }

  /// Turns a row of logits into its gradient, where gradients are wanted.
  func row(_ row: Int, _ logits: UnsafeMutablePointer<Float>, teacher rowOfTeacher: UnsafeMutablePointer<Float>?)
    -> RowLoss
  {
    let count = loss.vocabulary
    let d = divergenceWeight(row)
    let c = crossEntropyWeight(row)
    let factors = RowFactors(
      divergence: Double(loss.divergenceWeight) * Double(d) * scale,
      crossEntropy: Double(loss.crossEntropyWeight) * Double(c) * scale)
    let target = c == 0 ? nil : targets[row]
    if d == 0 {
      if c == 0 || (gradient && factors.crossEntropy == 0) {
        // Nothing flows back from this row; its value is still wanted where it has a target.
        let value =
          unsafe c == 0 ? RowLoss() : pass.plain(logits, count, target: target, factors: factors, gradient: false)
        if gradient { unsafe logits.update(repeating: 0, count: count) }
        return value
      }
      return unsafe pass.plain(logits, count, target: target, factors: factors, gradient: gradient)
    }
    if let rowOfTeacher = unsafe rowOfTeacher {
      return unsafe pass.dense(
        logits, teacher: rowOfTeacher, count, target: target, factors: factors, gradient: gradient)
    }
    guard case .sparse(let signal) = teacher else { preconditionFailure("row \(row) has no teacher") }
    let entries = signal.entries(at: row)
    return unsafe signal.ids.withUnsafeBufferPointer { ids in
      unsafe signal.logProbs.withUnsafeBufferPointer { logProbs in
        unsafe pass.sparse(
          logits, count, ids: UnsafeBufferPointer(rebasing: ids[entries]),
          logProbs: UnsafeBufferPointer(rebasing: logProbs[entries]),
          tail: signal.tailLogProb[row], target: target, factors: factors, gradient: gradient)
      }
    }
  }

  func sums(_ perRow: [RowLoss]) -> LossSums {
    var sums = LossSums()
    for (row, loss) in perRow.enumerated() {
      let d = divergenceWeight(row)
      let c = crossEntropyWeight(row)
      if d != 0 {
        sums.divergence += Double(d) * loss.divergence
        sums.divergenceRows += Double(d)
      }
      if c != 0 {
        sums.crossEntropy += Double(c) * loss.crossEntropy
        sums.crossEntropyRows += Double(c)
      }
    }
    sums.perRow = perRow
    return sums
  }
}
