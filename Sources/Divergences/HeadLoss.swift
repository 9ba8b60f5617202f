import TeacherSignal
public import Tensor

/// The language-model head fused with the loss: logits, softmax, divergence and gradients for a chunk of rows at once.
///
/// The loss is `scale * sum over rows i of (divergenceWeight * d[i] * D[i] + crossEntropyWeight * c[i] * CE[i])`, where
/// d and c are the row weights. Terms of zero weight are left out, not multiplied by 0, so the logits of a masked row
/// may hold anything.
public struct HeadLoss: Sendable {
  /// What the student is compared with its teacher by; nil where there is cross-entropy alone.
  public var divergence: Divergence?
  /// What both models' logits are divided by before they are compared; 1 against a sparse teacher, whose tail is that of 1. The
  /// cross-entropy is that of 1 in any case. No factor is put before the divergence: its gradient shrinks with the
  /// temperature's square, which ``divergenceWeight`` may make up for (Hinton, Vinyals and Dean, arXiv 1503.02531, section 2).
  public var temperature: Float
  /// Weight of the divergence in the loss.
  public var divergenceWeight: Float
  /// Weight of the cross-entropy with the targets in the loss.
  public var crossEntropyWeight: Float
  /// Rows of logits held at a time; nil to choose by the head's vocabulary.
  public var chunkRows: Int?

  public init(
    divergence: Divergence?, temperature: Float = 1, divergenceWeight: Float = 1, crossEntropyWeight: Float = 0,
    chunkRows: Int? = nil
  ) {
    self.divergence = divergence
    self.temperature = temperature
    self.divergenceWeight = divergenceWeight
    self.crossEntropyWeight = crossEntropyWeight
    self.chunkRows = chunkRows
  }

  /// The losses of some rows and, where asked, the gradients of the loss.
  ///
  /// A NaN among the logits makes the row's loss NaN. The head's gradient is added to where it has one.
  ///
  /// - Parameters:
  ///   - hidden: The student's hidden states at the scored positions, `[rows, hidden size]`, after the final norm.
  ///   - head: The student's head.
  ///   - targets: The token that follows each row; may be empty where the cross-entropy has weight 0.
  ///   - teacher: What the student is compared with, over the head's vocabulary.
  ///   - rowDivergences: What each row is compared by, in the place of ``divergence``; nil for that.
  ///   - divergenceRowWeights: One factor a row for the divergence, 0 for a masked row; nil for 1 everywhere.
  ///   - crossEntropyRowWeights: The same for the cross-entropy.
  ///   - keptLogProbs: Where to write log q of what a sparse teacher keeps, overwritten: of each row that is compared its
  ///     entries and then "any other", one row after another; nil to leave it out.
  ///   - scale: A factor for the gradients alone, such as 1 over the rows of all batches of an optimizer step.
  ///   - hiddenGradient: Where to write the gradient with respect to `hidden`, overwritten; nil to leave it out.
  ///   - arena: Lends the chunk of logits, another for a live teacher's, and the heads laid out where there are several
  ///     chunks.
  public func evaluate(
    hidden: Tensor, head: Head, targets: [Int32], teacher: TeacherRows, rowDivergences: [Divergence]? = nil,
    divergenceRowWeights: [Float]? = nil, crossEntropyRowWeights: [Float]? = nil, keptLogProbs: Tensor? = nil,
    scale: Float = 1, hiddenGradient: Tensor? = nil, arena: Arena
  ) -> LossSums {
    let (rows, vocabulary) = (hidden.rows, head.vocabulary)
    check(hidden, head, targets, teacher, rowDivergences, divergenceRowWeights, crossEntropyRowWeights, hiddenGradient)
    let plan = RowPlan(
      loss: self, vocabulary: vocabulary, targets: targets, teacher: teacher, scale: Double(scale),
      rowDivergences: rowDivergences, divergenceRowWeights: divergenceRowWeights,
      crossEntropyRowWeights: crossEntropyRowWeights, keptLogProbs: keptLogProbs,
      gradient: head.gradient != nil || hiddenGradient != nil)
    let chunk = chunkRows(of: rows, vocabulary: vocabulary)
    let forward = head.forward(chunks: rows > chunk, arena)
    let backward = hiddenGradient.map { _ in head.backward(chunks: rows > chunk, arena) }
    let logits = arena.tensor([chunk, vocabulary])
    let live = plan.liveTeacher
    let teacherLogits = live.map { _ in arena.tensor([chunk, vocabulary]) }
    let teacherForward = live.map { $0.head.forward(chunks: rows > chunk, arena) }
    let perRow = TaskResults.collect(rows, initial: RowLoss()) { results in
      Chunks.forEach(rows, rows: chunk) { range in
        let hiddenRows = hidden.rows(range)
        let chunkLogits = logits.rows(0..<range.count)
        // Logits of the chunk, [range.count, vocabulary], before soft caps; they become their gradients in place.
        forward.multiply(hiddenRows, into: chunkLogits)
        if let live, let teacherForward, let teacherLogits {
          teacherForward.multiply(live.hidden.rows(range), into: teacherLogits.rows(0..<range.count))
        }
        Engine.parallel(count: range.count, grain: Chunks.grain(vocabulary: vocabulary)) { group in
          for i in group {
            if let live, let teacherLogits { unsafe live.head.cap(teacherLogits.row(i)) }
            results[range.lowerBound + i] = unsafe head.capping(chunkLogits.row(i), gradient: plan.gradient) { row in
              unsafe plan.row(range.lowerBound + i, row, teacher: teacherLogits?.row(i))
            }
          }
        }
        if let hiddenGradient, let backward { backward.multiply(chunkLogits, into: hiddenGradient.rows(range)) }
        if let headGradient = head.gradient {
          // [vocabulary, range.count] * [range.count, hidden size], added to those of the chunks before.
          Gemm.multiply(
            chunkLogits, transposeA: true, hiddenRows, into: headGradient, accumulate: true, precision: head.precision)
        }
      }
    }
    return plan.sums(perRow)
  }

  /// Bytes that ``evaluate(hidden:head:targets:teacher:rowDivergences:divergenceRowWeights:crossEntropyRowWeights:keptLogProbs:scale:hiddenGradient:arena:)``
  /// takes of its arena for so many rows, gradients included: the chunk of logits and another for those of a live teacher;
  /// where there are several chunks, the heads laid out for their products.
  ///
  /// - Parameter teacher: The head of a live teacher, nil where there is none.
  package func scratchBytes(rows: Int, head: Head, teacher: Head?) -> Int {
    let chunk = chunkRows(of: rows, vocabulary: head.vocabulary)
    let teacher = divergenceWeight != 0 ? teacher : nil
    let logits = chunk * head.vocabulary * (teacher == nil ? 1 : 2) * MemoryLayout<Float>.stride
    guard rows > chunk else { return logits }
    return logits + head.forwardBytes + head.backwardBytes + (teacher?.forwardBytes ?? 0)
  }

  /// Whether the divergence is computed at all.
  var compares: Bool { divergence != nil && divergenceWeight != 0 }

  private func chunkRows(of rows: Int, vocabulary: Int) -> Int {
    min(chunkRows ?? Chunks.rows(vocabulary: vocabulary), max(rows, 1))
  }

  private func check(
    _ hidden: Tensor, _ head: Head, _ targets: [Int32], _ teacher: TeacherRows, _ rowDivergences: [Divergence]?,
    _ divergenceRowWeights: [Float]?, _ crossEntropyRowWeights: [Float]?, _ hiddenGradient: Tensor?
  ) {
    let (rows, vocabulary) = (hidden.rows, head.vocabulary)
    precondition(
      head.hiddenSize == hidden.columns,
      "a head of [\(vocabulary), \(head.hiddenSize)] does not fit hidden states of \(hidden.shape)")
    precondition(
      targets.count == rows || (targets.isEmpty && crossEntropyWeight == 0), "\(targets.count) targets for \(rows) rows"
    )
    precondition(
      targets.allSatisfy { $0 >= 0 && $0 < vocabulary },
      "a target is outside the common vocabulary of \(vocabulary)")
    precondition(
      targets.count == rows
        || !([divergence].compactMap(\.self) + (rowDivergences ?? [])).contains(where: \.needsTarget),
      "a divergence that needs the token that follows, and \(targets.count) targets for \(rows) rows")
    precondition((rowDivergences?.count ?? rows) == rows, "\(rowDivergences?.count ?? 0) divergences for \(rows) rows")
    precondition(
      (divergenceRowWeights?.count ?? rows) == rows && (crossEntropyRowWeights?.count ?? rows) == rows,
      "row weights do not count \(rows) rows")
    precondition(
      hiddenGradient.map { $0.rows == rows && $0.columns == hidden.columns } ?? true,
      "a gradient of \(hiddenGradient?.shape ?? []) for hidden states of \(hidden.shape)")
    switch teacher {
    case .none:
      precondition(!compares, "\(divergence?.name ?? "a divergence") has no teacher to compare with")
    case .sampled(let logProbs):
      precondition(
        divergence == nil && logProbs.count == rows && targets.count == rows,
        "\(logProbs.count) log-probs of \(targets.count) targets for \(rows) rows")
    case .sparse(let signal):
      precondition(temperature == 1, "a temperature of \(temperature) against a sparse teacher")
      precondition(signal.positionCount == rows, "a signal of \(signal.positionCount) positions for \(rows) rows")
      precondition(
        signal.kind.isRanked && signal.ids.allSatisfy { $0 >= 0 && $0 < vocabulary },
        "the teacher's \(signal.kind.rawValue) is not one that can be compared with within a vocabulary of \(vocabulary)"
      )
    case .dense(let teacherHidden, let teacherHead):
      precondition(
        teacherHidden.rows == rows && teacherHead.vocabulary == vocabulary
          && teacherHead.hiddenSize == teacherHidden.columns,
        "a teacher of states \(teacherHidden.shape) and head [\(teacherHead.vocabulary), \(teacherHead.hiddenSize)] for \(rows) rows of \(vocabulary) ids"
      )
    }
  }
}
