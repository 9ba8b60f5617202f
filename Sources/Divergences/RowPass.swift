import CKernels
import Glibc

/// What the two terms of one row weigh in the gradient.
struct RowFactors: Sendable {
  var divergence: Double
  var crossEntropy: Double
}

/// The loss of one row of student logits and, in its place, the gradient with respect to them.
///
/// With g the gradient, q the student's softmax, and h_a the derivative of a divergence by q_a, g_v = q_v (h_v - sum of
/// q_a h_a). The kernels hand this back as c (w_v - q_v centre), w = q h up to a constant. Against a sparse teacher the
/// two distributions are compared over k + 1 outcomes, the last being everything outside the top-k; there all tail
/// logits share one factor, and the gradient is that factor times the student's softmax within the tail, with k entries
/// put right.
@safe struct RowPass {
  let kernels: UnsafePointer<LossKernels>
  private let objective: Objective

  init(_ objective: Objective) {
    unsafe kernels = lossKernels()
    self.objective = objective
  }

  /// Cross-entropy only.
  func plain(
    _ logits: UnsafeMutablePointer<Float>, _ count: Int, target: Int32?, factors: RowFactors, gradient: Bool
  ) -> RowLoss {
    let softmax = unsafe kernels.pointee.lossSoftmax(logits, count)
    let value = unsafe RowLoss(crossEntropy: crossEntropy(logits, target, softmax.logSumExp))
    guard gradient else { return value }
    let scale = Float(factors.crossEntropy / softmax.sum)
    unsafe kernels.pointee.lossExponentials(logits, count, softmax.maximum, scale)
    unsafe addTarget(logits, target, factors)
    return value
  }

  /// Against teacher logits over the same vocabulary, which are overwritten.
  func dense(
    _ logits: UnsafeMutablePointer<Float>, teacher: UnsafeMutablePointer<Float>, _ count: Int, target: Int32?,
    factors: RowFactors, gradient: Bool
  ) -> RowLoss {
    let p = unsafe kernels.pointee.lossSoftmax(teacher, count)
    let q = unsafe kernels.pointee.lossSoftmax(logits, count)
    var value = unsafe RowLoss(crossEntropy: crossEntropy(logits, target, q.logSumExp))
    var row = LossRow(objective, student: q, teacherMaximum: p.maximum, teacherSum: p.sum)
    let sums = unsafe kernels.pointee.lossTerms(&row, teacher, logits, count)
    value.divergence = sums.value
    guard gradient else { return value }
    let (w, q1) = gradientFactors(centre: sums.centre, factors)
    unsafe kernels.pointee.lossCombine(logits, teacher, count, Float(w), Float(q1))
    unsafe addTarget(logits, target, factors)
    return value
  }

  /// Against the teacher's top-k and tail. With as many ids as the vocabulary has, the full divergence.
  func sparse(
    _ logits: UnsafeMutablePointer<Float>, _ count: Int, ids: UnsafeBufferPointer<Int32>,
    logProbs: UnsafeBufferPointer<Float>, tail: Float, target: Int32?, factors: RowFactors, gradient: Bool
  ) -> RowLoss {
    let k = ids.count
    return unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * (k + 1)) { scratch in
      let teacher = scratch.baseAddress!
      let student = unsafe scratch.baseAddress! + k + 1
      let targetLogit = target.map { unsafe Double(logits[Int($0)]) } ?? 0
      // Taking the ids out leaves the complement, whose log-sum-exp is the tail: never 1 minus a sum.
      for j in 0..<k {
        unsafe teacher[j] = logProbs[j]
        unsafe student[j] = logits[Int(ids[j])]
        unsafe logits[Int(ids[j])] = -.infinity
      }
      let rest = unsafe kernels.pointee.lossSoftmax(logits, count)
      let outcomes = k < count ? k + 1 : k
      // Logits may all lie far from 0, where fp32 is coarse; their differences do not.
      let origin = rest.sum == 0 ? 0 : rest.maximum
      for j in 0..<k { unsafe student[j] -= origin }
      unsafe teacher[k] = tail
      unsafe student[k] = rest.sum == 0 ? -.infinity : Float(log(rest.sum))
      let q = unsafe kernels.pointee.lossSoftmax(student, outcomes)
      var row = LossRow(objective, student: q, teacherMaximum: 0, teacherSum: 1)
      let sums = unsafe kernels.pointee.lossTerms(&row, teacher, student, outcomes)
      let value = RowLoss(
        divergence: sums.value, crossEntropy: target == nil ? 0 : q.logSumExp + Double(origin) - targetLogit)
      guard gradient else { return value }
      let (w, q1) = gradientFactors(centre: sums.centre, factors)
      unsafe kernels.pointee.lossCombine(student, teacher, outcomes, Float(w), Float(q1))
      if outcomes > k {
        let share = unsafe rest.sum == 0 ? 0 : Float(Double(student[k]) / rest.sum)
        unsafe kernels.pointee.lossExponentials(logits, count, rest.maximum, share)
      }
      for j in 0..<k { unsafe logits[Int(ids[j])] = student[j] }
      unsafe addTarget(logits, target, factors)
      return value
    }
  }

  /// The gradient is w * (what lossTerms left for the teacher) + q * (what it left for the student).
  private func gradientFactors(centre: Double, _ factors: RowFactors) -> (w: Double, q: Double) {
    let c: Double =
      switch objective.name {
      case .sft: 0
      case .fkl: -1
      case .rkl, .srkl: 1
      case .skl: Double(objective.alpha) - 1
      case .jsd: 1 - Double(objective.beta)
      case .tvd: 0.5
      }
    let w = factors.divergence * c
    return (w, factors.crossEntropy - w * centre)
  }

  private func crossEntropy(_ logits: UnsafeMutablePointer<Float>, _ target: Int32?, _ logSumExp: Double) -> Double {
    guard let target else { return 0 }
    return unsafe logSumExp - Double(logits[Int(target)])
  }

  /// The target's share of the cross-entropy's gradient, q - 1[target].
  private func addTarget(_ gradient: UnsafeMutablePointer<Float>, _ target: Int32?, _ factors: RowFactors) {
    guard let target, factors.crossEntropy != 0 else { return }
    unsafe gradient[Int(target)] -= Float(factors.crossEntropy)
  }
}

extension LossSoftmax {
  var logSumExp: Double { Double(maximum) + log(sum) }
}

extension LossRow {
  /// Log-probs of the teacher are its logits less `teacherMaximum` and the logarithm of `teacherSum`.
  init(_ objective: Objective, student: LossSoftmax, teacherMaximum: Float, teacherSum: Double) {
    let (kind, skew): (LossKind, Float) =
      switch objective.name {
      case .sft, .fkl: (lossSKL, 0)
      case .rkl: (lossSRKL, 0)
      case .skl: (lossSKL, objective.alpha)
      case .srkl: (lossSRKL, objective.alpha)
      case .jsd: (lossJSD, objective.beta)
      case .tvd: (lossTVD, 0)
      }
    self.init(
      kind: kind, skew: skew, teacherMaximum: teacherMaximum, teacherInverseSum: Float(1 / teacherSum),
      teacherFloor: Objective.teacherLogFloor + Float(log(teacherSum)), studentMaximum: student.maximum,
      studentInverseSum: Float(1 / student.sum), logSumDifference: Float(log(student.sum) - log(teacherSum)))
  }
}
