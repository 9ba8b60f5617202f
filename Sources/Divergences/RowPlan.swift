import Glibc
import TeacherSignal
import Tensor

/// What a sparse teacher says of a row, with the token that follows as one of the ids: where it is none of those that are kept it
/// comes out of the tail.
private struct SplitSignal {
  var ids: [Int32]
  var logProbs: [Float]
  var tail: Float
  let place: Int

  init(_ signal: SparseSignal, row: Int, target: Int32) {
    let entries = signal.entries(at: row)
    (ids, logProbs, tail) = (
      Array(signal.ids[entries]), Array(signal.logProbs[entries]), signal.tailLogProb[row]
    )
    if let found = ids.firstIndex(of: target) {
      place = found
      return
    }
    place = ids.count
    let own = signal.targetLogProb[row]
    // log(e^tail - e^own); rounded values may leave less than nothing.
    let rest = Double(own) - Double(tail)
    tail = rest >= 0 ? -.infinity : tail + Float(log1p(-exp(rest)))
    ids.append(target)
    logProbs.append(own)
  }
}

/// What one evaluation does to each of its rows.
struct RowPlan {
  let loss: HeadLoss
  let vocabulary: Int
  let targets: [Int32]
  let teacher: TeacherRows
  let scale: Double
  let divergenceRowWeights: [Float]?
  let crossEntropyRowWeights: [Float]?
  /// Where log q of the entries and the tail of a sparse teacher goes.
  private let keptLogProbs: Tensor?
  let gradient: Bool
  private let pass: RowPass
  /// Of each row, where they are compared by several divergences.
  private let passes: [RowPass]?

  init(
    loss: HeadLoss, vocabulary: Int, targets: [Int32], teacher: TeacherRows, scale: Double,
    rowDivergences: [Divergence]? = nil, divergenceRowWeights: [Float]?, crossEntropyRowWeights: [Float]?,
    keptLogProbs: Tensor? = nil, gradient: Bool
  ) {
    self.loss = loss
    self.vocabulary = vocabulary
    self.targets = targets
    self.teacher = teacher
    self.scale = scale
    self.divergenceRowWeights = divergenceRowWeights
    self.crossEntropyRowWeights = crossEntropyRowWeights
    self.keptLogProbs = keptLogProbs
    self.gradient = gradient
    if let keptLogProbs {
      guard case .sparse(let signal) = teacher, keptLogProbs.count == signal.ids.count + signal.positionCount else {
        preconditionFailure("\(keptLogProbs.count) places for log-probs of another teacher's entries")
      }
    }
    pass = RowPass(loss.divergence, temperature: loss.temperature)
    passes = rowDivergences.map { $0.map { RowPass($0, temperature: loss.temperature) } }
  }

  /// A live teacher that is compared with.
  var liveTeacher: (hidden: Tensor, head: Head)? {
    guard loss.compares, case .dense(let hidden, let head) = teacher else { return nil }
    return (hidden, head)
  }

  /// The teacher's log-probs of the targets, where that is all there is of it.
  private var sampled: [Float]? {
    guard case .sampled(let logProbs) = teacher, loss.divergenceWeight != 0 else { return nil }
    return logProbs
  }

  private func divergenceWeight(_ row: Int) -> Float {
    loss.compares || sampled != nil ? divergenceRowWeights?[row] ?? 1 : 0
  }
  private func crossEntropyWeight(_ row: Int) -> Float { targets.isEmpty ? 0 : crossEntropyRowWeights?[row] ?? 1 }

  /// The losses of a row; where gradients are wanted, its logits, `[vocabulary]`, become their gradient.
  ///
  /// - Parameter rowOfTeacher: The live teacher's logits, which are overwritten; nil where there is none.
  func row(_ row: Int, _ logits: UnsafeMutablePointer<Float>, teacher rowOfTeacher: UnsafeMutablePointer<Float>?)
    -> RowLoss
  {
    let count = vocabulary
    let pass = passes?[row] ?? pass
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
    if let sampled {
      return unsafe pass.sampled(
        logits, count, target: targets[row], teacher: sampled[row], factors: factors, gradient: gradient)
    }
    if let rowOfTeacher = unsafe rowOfTeacher {
      return unsafe pass.dense(
        logits, teacher: rowOfTeacher, count, target: target, factors: factors,
        following: pass.needsTarget ? targets[row] : nil, gradient: gradient)
    }
    guard case .sparse(let signal) = teacher else { preconditionFailure("row \(row) has no teacher") }
    if pass.needsTarget {
      let split = SplitSignal(signal, row: row, target: targets[row])
      return unsafe split.ids.withUnsafeBufferPointer { ids in
        unsafe split.logProbs.withUnsafeBufferPointer { logProbs in
          unsafe pass.sparse(
            logits, count, ids: ids, logProbs: logProbs, tail: split.tail, target: target, factors: factors,
            following: split.place, gradient: gradient)
        }
      }
    }
    let entries = signal.entries(at: row)
    return unsafe signal.ids.withUnsafeBufferPointer { ids in
      unsafe signal.logProbs.withUnsafeBufferPointer { logProbs in
        unsafe pass.sparse(
          logits, count, ids: UnsafeBufferPointer(rebasing: ids[entries]),
          logProbs: UnsafeBufferPointer(rebasing: logProbs[entries]),
          tail: signal.tailLogProb[row], target: target, factors: factors,
          keptLogProbs: keptLogProbs.map { unsafe $0.base + entries.lowerBound + row }, gradient: gradient)
      }
    }
  }

  /// The rows' losses with their weighted sums.
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
