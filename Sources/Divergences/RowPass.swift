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
  private let kernels: UnsafePointer<LossKernels>
  private let divergence: Divergence?
  private let fusedForm: FusedForm?
  /// Whether ``dense`` and ``sparse`` have to be told the token that follows.
  let needsTarget: Bool
  private let temperature: Float

  /// - Parameters:
  ///   - divergence: What ``dense`` and ``sparse`` compute; nil where only ``plain`` is asked for.
  ///   - temperature: Of what ``dense`` compares.
  init(_ divergence: Divergence?, temperature: Float = 1) {
    unsafe kernels = lossKernels()
    self.temperature = temperature
    self.divergence = divergence
    needsTarget = divergence?.needsTarget ?? false
    fusedForm = divergence?.formula.fusedForm
  }

  /// Cross-entropy only.
  func plain(
    _ logits: UnsafeMutablePointer<Float>, _ count: Int, target: Int32?, factors: RowFactors, gradient: Bool
  ) -> RowLoss {
    let normalizer = unsafe kernels.pointee.lossNormalizer(logits, count)
    let value = unsafe RowLoss(crossEntropy: crossEntropy(logits, target, normalizer.logSumExp))
    guard gradient else { return value }
    let scale = Float(factors.crossEntropy / normalizer.sum)
    unsafe kernels.pointee.lossExponentials(logits, count, normalizer.maximum, scale)
    unsafe addTarget(logits, target, factors)
    return value
  }

  /// Against the teacher's log-prob of the target alone: log q - log p and, in place, the gradient of -(log p - log q) log q
  /// with its first factor held.
  func sampled(
    _ logits: UnsafeMutablePointer<Float>, _ count: Int, target: Int32, teacher: Float, factors: RowFactors,
    gradient: Bool
  ) -> RowLoss {
    let normalizer = unsafe kernels.pointee.lossNormalizer(logits, count)
    let loss = unsafe crossEntropy(logits, target, normalizer.logSumExp)
    let advantage = Double(max(teacher, Outcomes.teacherLogFloor)) + loss
    guard gradient else { return RowLoss(divergence: -advantage, crossEntropy: loss) }
    let weight = RowFactors(divergence: 0, crossEntropy: factors.divergence * advantage + factors.crossEntropy)
    unsafe kernels.pointee.lossExponentials(
      logits, count, normalizer.maximum, Float(weight.crossEntropy / normalizer.sum))
    unsafe addTarget(logits, target, weight)
    return RowLoss(divergence: -advantage, crossEntropy: loss)
  }

  /// Against teacher logits over the same vocabulary, which are overwritten.
  ///
  /// - Parameter following: The token that follows, of a divergence that needs it.
  func dense(
    _ logits: UnsafeMutablePointer<Float>, teacher: UnsafeMutablePointer<Float>, _ count: Int, target: Int32?,
    factors: RowFactors, following: Int32? = nil, gradient: Bool
  ) -> RowLoss {
    guard temperature == 1 else {
      return unsafe tempered(logits, teacher: teacher, count, target: target, factors: factors, gradient: gradient)
    }
    let p = unsafe kernels.pointee.lossNormalizer(teacher, count)
    let q = unsafe kernels.pointee.lossNormalizer(logits, count)
    var value = unsafe RowLoss(crossEntropy: crossEntropy(logits, target, q.logSumExp))
    value.divergence = unsafe compare(
      logits, q, teacher: teacher, p, count, hasTail: false, target: following.map(Int.init), factors: factors,
      gradient: gradient)
    if gradient { unsafe addTarget(logits, target, factors) }
    return value
  }

  /// As `dense` at a temperature T: with z / T in the place of z, whose derivative is 1 / T, for the divergence alone.
  private func tempered(
    _ logits: UnsafeMutablePointer<Float>, teacher: UnsafeMutablePointer<Float>, _ count: Int, target: Int32?,
    factors: RowFactors, gradient: Bool
  ) -> RowLoss {
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scratch in
      let scaled = scratch.baseAddress!
      for index in 0..<count {
        unsafe scaled[index] = logits[index] / temperature
        unsafe teacher[index] /= temperature
      }
      let p = unsafe kernels.pointee.lossNormalizer(teacher, count)
      let q = unsafe kernels.pointee.lossNormalizer(scaled, count)
      let shares = RowFactors(divergence: factors.divergence / Double(temperature), crossEntropy: 0)
      let divergence = unsafe compare(
        scaled, q, teacher: teacher, p, count, hasTail: false, factors: shares, gradient: gradient)
      // The logits themselves are the cross-entropy's, and become its gradient.
      var value = unsafe plain(logits, count, target: target, factors: factors, gradient: gradient)
      value.divergence = divergence
      if gradient { for index in 0..<count { unsafe logits[index] += scaled[index] } }
      return value
    }
  }

  /// Against the teacher's top-k and tail. With as many ids as the vocabulary has, the full divergence.
  ///
  /// - Parameters:
  ///   - following: The place among the ids of the token that follows, of a divergence that needs it.
  ///   - keptLogProbs: Where log q of the ids, and then of "any other", is to go; nil for nowhere.
  func sparse(
    _ logits: UnsafeMutablePointer<Float>, _ count: Int, ids: UnsafeBufferPointer<Int32>,
    logProbs: UnsafeBufferPointer<Float>, tail: Float, target: Int32?, factors: RowFactors, following: Int? = nil,
    keptLogProbs: UnsafeMutablePointer<Float>? = nil, gradient: Bool
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
      let rest = unsafe kernels.pointee.lossNormalizer(logits, count)
      let outcomes = k < count ? k + 1 : k
      // Logits may all lie far from 0, where fp32 is coarse; their differences do not.
      let origin = rest.sum == 0 ? 0 : rest.maximum
      for j in 0..<k { unsafe student[j] -= origin }
      unsafe teacher[k] = tail
      unsafe student[k] = rest.sum == 0 ? -.infinity : Float(log(rest.sum))
      let q = unsafe kernels.pointee.lossNormalizer(student, outcomes)
      if let keptLogProbs = unsafe keptLogProbs {
        for j in 0...k { unsafe keptLogProbs[j] = j < outcomes ? Float(Double(student[j]) - q.logSumExp) : -.infinity }
      }
      let value = unsafe RowLoss(
        divergence: compare(
          student, q, teacher: teacher, .logProbs, outcomes, hasTail: outcomes > k, target: following,
          factors: factors, gradient: gradient),
        crossEntropy: target == nil ? 0 : q.logSumExp + Double(origin) - targetLogit)
      guard gradient else { return value }
      // What stands at the last outcome is the gradient of the whole tail, which its logits share by their softmax.
      if outcomes > k {
        let share = unsafe rest.sum == 0 ? 0 : Float(Double(student[k]) / rest.sum)
        unsafe kernels.pointee.lossExponentials(logits, count, rest.maximum, share)
      }
      for j in 0..<k { unsafe logits[Int(ids[j])] = student[j] }
      unsafe addTarget(logits, target, factors)
      return value
    }
  }

  /// The divergence over `count` outcomes. Where the gradient is asked for, the student's logits become it, with the
  /// cross-entropy's share but for the target's; the teacher's logits are overwritten.
  private func compare(
    _ student: UnsafeMutablePointer<Float>, _ q: LossNormalizer, teacher: UnsafeMutablePointer<Float>,
    _ p: LossNormalizer, _ count: Int, hasTail: Bool, target: Int? = nil, factors: RowFactors, gradient: Bool
  ) -> Double {
    guard let fusedForm else {
      return unsafe define(
        student, q, teacher: teacher, p, count, hasTail: hasTail, target: target, factors: factors, gradient: gradient)
    }
    var row = LossRow(fusedForm, student: q, teacher: p)
    let sums = unsafe kernels.pointee.lossTerms(&row, teacher, student, count)
    let value = sums.value * fusedForm.scale
    guard gradient else { return value }
    let w = factors.divergence * fusedForm.factor
    unsafe kernels.pointee.lossCombine(
      student, teacher, count, Float(w), Float(factors.crossEntropy - w * sums.centre))
    return value
  }

  /// As `compare`, by the divergence's definition: slower, for those that have no kernel.
  private func define(
    _ student: UnsafeMutablePointer<Float>, _ q: LossNormalizer, teacher: UnsafeMutablePointer<Float>,
    _ p: LossNormalizer, _ count: Int, hasTail: Bool, target: Int?, factors: RowFactors, gradient: Bool
  ) -> Double {
    guard let divergence else { preconditionFailure("a row is compared by no divergence") }
    func logProbs(_ logits: UnsafeMutablePointer<Float>, _ normalizer: LossNormalizer) -> [Double] {
      let logSumExp = normalizer.logSumExp
      return (0..<count).map { unsafe Double(logits[$0]) - logSumExp }
    }
    let outcomes = unsafe Outcomes(
      teacher: logProbs(teacher, p), student: logProbs(student, q), hasTail: hasTail, target: target)
    let (value, slopes) = divergence.evaluate(outcomes)
    if gradient {
      for i in 0..<count {
        let ofBoth = factors.divergence * slopes[i] + factors.crossEntropy * exp(outcomes.student[i])
        unsafe student[i] = Float(ofBoth)
      }
    }
    return value
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

extension LossNormalizer {
  /// Of logits that are log-probs already.
  static let logProbs = LossNormalizer(maximum: 0, finite: 1, sum: 1)

  /// log of the sum of exp(z) over the row.
  var logSumExp: Double { Double(maximum) + log(sum) }
}

extension LossRow {
  /// The two rows' normalisers as the kernels take them.
  ///
  /// - Parameter form: Of the divergence; what `lossBoth` is given does not matter.
  init(
    _ form: FusedForm = FusedForm(kind: lossSKL, skew: 0, factor: 0), student: LossNormalizer, teacher: LossNormalizer
  ) {
    self.init(
      kind: form.kind, skew: form.skew, teacherMaximum: teacher.maximum, teacherInverseSum: Float(1 / teacher.sum),
      teacherFloor: Outcomes.teacherLogFloor + Float(log(teacher.sum)), studentMaximum: student.maximum,
      studentInverseSum: Float(1 / student.sum), logSumDifference: Float(log(student.sum) - log(teacher.sum)))
  }
}
