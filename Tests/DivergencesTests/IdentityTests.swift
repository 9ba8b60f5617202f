import Divergences
import Glibc
import TeacherSignal
import TestSupport
import Testing

@Suite("Divergences beside other definitions")
struct IdentityTests {
  static let sizes = [(5, 2), (97, 8), (300, 64)]

  /// Logits of every shape and size with their labels.
  private func forEachCase(_ body: (LogitLoss, LogitLoss.Teacher, [Float], [Float], String) throws -> Void) rethrows {
    for (vocabulary, k) in Self.sizes {
      let loss = LogitLoss(vocabulary: vocabulary)
      for (index, shape) in LogitShape.allCases.enumerated() {
        let (teacher, student) = shape.logits(seed: 7000 + index, count: vocabulary)
        try body(loss, .logits(teacher), teacher, student, "\(shape) V=\(vocabulary) full")
        try body(loss, .sparse(sparseSignal(teacher, k: k)), teacher, student, "\(shape) V=\(vocabulary) k=\(k)")
      }
    }
  }

  @Test("0 where student and teacher agree, never negative, within the bound")
  func zeroAndBounds() {
    forEachCase { loss, teacher, teacherLogits, student, label in
      for divergence in comparisons {
        let same = loss(divergence, student: teacherLogits, teacher: teacher)
        if case .logits = teacher { #expect(same.sums.divergence == 0) }
        #expect(same.sums.divergence >= 0 && same.sums.divergence < 1e-6, "\(label) \(divergence)")
        // A subgradient of TVD at 0 is a matter of the sign of a rounding.
        if divergence != .tvd {
          #expect(same.gradient.allSatisfy { $0.magnitude < 1e-6 }, "\(label) \(divergence)")
        }
        let apart = loss(divergence, student: student, teacher: teacher).sums.divergence
        #expect(apart >= 0 && apart <= (divergence.upperBound ?? .infinity) + 1e-6, "\(label) \(divergence)")
      }
    }
  }

  @Test("at skew 0, SKL is FKL and SRKL is RKL to the bit")
  func unskewed() throws {
    try forEachCase { loss, teacher, _, student, label in
      for (skewed, plain) in [(try Divergence.skl(alpha: 0), Divergence.fkl), (try .srkl(alpha: 0), .rkl)] {
        let a = loss(skewed, student: student, teacher: teacher)
        let b = loss(plain, student: student, teacher: teacher)
        #expect(a.sums == b.sums && a.gradient == b.gradient, "\(label) \(skewed)")
      }
    }
  }

  @Test("JSD is beta SKL(beta) + (1 - beta) SRKL(1 - beta)", arguments: [0.1, 0.5, 0.9] as [Float])
  func decomposition(_ beta: Float) throws {
    let jsd = try Divergence.jsd(beta: beta)
    let skl = try Divergence.skl(alpha: beta)
    let srkl = try Divergence.srkl(alpha: 1 - beta)
    forEachCase { loss, teacher, _, student, label in
      let parts = [skl, srkl].map { loss($0, student: student, teacher: teacher).sums.divergence }
      expectClose(
        loss(jsd, student: student, teacher: teacher).sums.divergence,
        Double(beta) * parts[0] + Double(1 - beta) * parts[1], absolute: 1e-6, relative: 1e-6, label)
    }
  }

  @Test("gradients sum to zero: a constant added to all logits changes nothing")
  func shiftInvariance() {
    forEachCase { loss, teacher, _, student, label in
      for divergence in comparisons {
        let (sums, gradient) = loss(
          divergence, student: student, teacher: teacher, targets: [1], crossEntropyWeight: 0.3)
        // Entries are differences of terms as large as the largest log-ratio, in fp32.
        expectClose(
          gradient.reduce(0.0) { $0 + Double($1) }, 0, absolute: 1e-6 * (1 + sums.divergence),
          "\(label) \(divergence)")
      }
    }
  }

  @Test("what the teacher rules out stays finite, logits thousands of nats apart included")
  func extremes() {
    let loss = LogitLoss(vocabulary: 6)
    let student: [Float] = [0, 0, 0, 5000, -5000, 1]
    let ruledOut: [Float] = [1, 2, 0, -1e30, -1e30, -1e30]
    let signal = SparseSignal(
      topK: 2, ids: [0, 1], logProbs: [-0.6931472, -0.6931472], tailLogProb: [-.infinity], targetLogProb: [-1])
    for divergence in comparisons where divergence != .fkl {
      for teacher in [LogitLoss.Teacher.logits(ruledOut), .sparse(signal)] {
        let (sums, gradient) = loss(divergence, student: student, teacher: teacher, targets: [0], crossEntropyWeight: 1)
        #expect(sums.divergence.isFinite && gradient.allSatisfy { $0.isFinite }, "\(divergence)")
        if divergence == .rkl { expectClose(sums.divergence, 1000, absolute: 5e-4) }
      }
    }
    // Forward KL there is what it is: thousands of nats.
    let forward = loss(.fkl, student: student, teacher: .sparse(signal))
    expectClose(forward.sums.divergence, 5000 - 0.6931472, absolute: 1e-2)
    #expect(forward.gradient.allSatisfy { $0.isFinite })
  }

  @Test("cross-entropy: value and gradient are softmax less one-hot, inside and outside the top-k")
  func crossEntropy() throws {
    let (teacher, student) = LogitShape.normal.logits(seed: 91, count: 40)
    let loss = LogitLoss(vocabulary: 40)
    let logProbs = logSoftmax(student)
    let signal = sparseSignal(teacher, k: 4)
    for target in [Int(signal.ids[0]), Int(signal.ids[3]), (0..<40).first { !signal.ids.contains(Int32($0)) }!] {
      let alone = loss(
        nil, student: student, teacher: .none, targets: [Int32(target)], crossEntropyWeight: 2, scale: 0.25)
      expectClose(alone.sums.crossEntropy, -logProbs[target], absolute: 1e-6)
      var expected = logProbs.map { 0.5 * exp($0) }
      expected[target] -= 0.5
      expectClose(alone.gradient.map(Double.init), expected, absolute: 1e-7)
      for teacher in [LogitLoss.Teacher.sparse(signal), .logits(teacher)] {
        let pure = loss(.srkl, student: student, teacher: teacher)
        let both = loss(.srkl, student: student, teacher: teacher, targets: [Int32(target)], crossEntropyWeight: 0.5)
        expectClose(both.sums.crossEntropy, -logProbs[target], absolute: 1e-6)
        #expect(both.sums.divergence == pure.sums.divergence)
        expectClose(
          zip(both.gradient, pure.gradient).map { Double($0 - $1) }, expected, absolute: 2e-7, "both terms, \(target)")
      }
    }
  }

  @Test("parameters outside their bounds are refused by name")
  func parameters() throws {
    for alpha: Float in [-0.1, 1, 1e-9, .nan] {
      expectDiagnostic(field: "alpha", saying: "skew", "0.1") { _ = try Divergence.skl(alpha: alpha) }
      expectDiagnostic(field: "alpha", saying: "skew", "0.1") { _ = try Divergence.srkl(alpha: alpha) }
    }
    for beta: Float in [-0.1, 1e-7, 1.1, .nan] {
      expectDiagnostic(field: "beta", saying: "beta") { _ = try Divergence.jsd(beta: beta) }
    }
    expectDiagnostic(field: "divergence", saying: "'kl'", "srkl") { _ = try Divergence(named: "kl") }
    let skew = try Divergence(named: "skl", ["alpha": 0.1, "beta": 7])
    #expect(skew == .skl && skew.description == "skl(alpha: 0.1)")
    let other = try Divergence.skl(alpha: 0.2)
    #expect(skew != other && skew != .srkl)
  }
}
