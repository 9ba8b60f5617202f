import Divergences
import Glibc
import TestSupport
import Testing

/// ABKD's, AKL's, ToDi's and AMiD's losses beside what their papers say of them.
@Suite("Losses newer than DistiLLM's") struct NewerLossTests {
  private func outcomes(_ shape: LogitShape, hasTail: Bool = false) -> Outcomes {
    let (teacher, student) = shape.logits(seed: 900, count: 23)
    return Outcomes(teacher: logSoftmax(teacher), student: logSoftmax(student), hasTail: hasTail)
  }

  private func expectSame(_ a: Divergence, _ b: Divergence, _ outcomes: Outcomes, tolerance: Double = 1e-12) {
    let (left, right) = (a.evaluate(outcomes), b.evaluate(outcomes))
    expectClose(left.value, right.value, absolute: tolerance * (1 + right.value), "\(a) \(b)")
    expectClose(left.gradient, right.gradient, absolute: tolerance * (1 + right.value), "\(a) \(b)")
  }

  @Test(
    "AB is forward KL at (1, 0), reverse KL at (0, 1) and 4 (1 - sum of sqrt(p q)) at (0.5, 0.5)",
    arguments: LogitShape.allCases)
  func corners(_ shape: LogitShape) throws {
    let outcomes = outcomes(shape)
    try expectSame(.ab(alpha: 1, beta: 0), .fkl, outcomes)
    try expectSame(.ab(alpha: 0, beta: 1), .rkl, outcomes)
    let overlap = zip(outcomes.teacher, outcomes.student).reduce(0.0) { $0 + exp(0.5 * ($1.0 + $1.1)) }
    expectClose(try Divergence.ab(alpha: 0.5, beta: 0.5).evaluate(outcomes).value, 4 * (1 - overlap), absolute: 1e-11)
    let loss = LogitLoss(vocabulary: 40)
    let (teacher, student) = shape.logits(seed: 901, count: 40)
    for (corner, whole) in [(try Divergence.ab(alpha: 1, beta: 0), Divergence.fkl), (try .ab(alpha: 0, beta: 1), .rkl)]
    {
      let a = loss(corner, student: student, teacher: .logits(teacher))
      let b = loss(whole, student: student, teacher: .logits(teacher))
      #expect(a.sums == b.sums && a.gradient == b.gradient)
    }
  }

  @Test("AB goes over into its limits without a step, and keeps its digits where student and teacher all but agree")
  func limits() throws {
    let outcomes = outcomes(.normal)
    for (near, limit) in [((1, 1e-3), (1, 0)), ((1e-3, 1), (0, 1)), ((0.5, 1e-3), (0.5, 0)), ((1e-3, 0.5), (0, 0.5))]
      as [((Float, Float), (Float, Float))]
    {
      let a = try Divergence.ab(alpha: near.0, beta: near.1).evaluate(outcomes).value
      let b = try Divergence.ab(alpha: limit.0, beta: limit.1).evaluate(outcomes).value
      expectClose(a, b, relative: 0.02, "\(near)")
    }
    // To second order it is half the sum of p^(alpha + beta) times the squared difference of log-probs.
    let shift = outcomes.teacher.indices.map { $0.isMultiple(of: 2) ? 1e-7 : -1e-7 }
    let close = Outcomes(teacher: outcomes.teacher, student: zip(outcomes.teacher, shift).map { $0 + $1 })
    for (alpha, beta) in [(0.2, 0.7), (1e-3, 1), (0.9, 0.1)] as [(Float, Float)] {
      let expected = zip(outcomes.teacher, shift).reduce(0) { $0 + exp(Double(alpha + beta) * $1.0) * $1.1 * $1.1 / 2 }
      expectClose(try Divergence.ab(alpha: alpha, beta: beta).evaluate(close).value, expected, relative: 1e-3)
    }
  }

  @Test(
    "AMiD at alpha -1 is skl, to the bit where it trains; at 1 its mixture is the geometric one",
    arguments: LogitShape.allCases)
  func mixtures(_ shape: LogitShape) throws {
    let outcomes = outcomes(shape)
    for lambda: Float in [0, 0.1, 0.5] {
      let (mine, skewed) = (try Divergence.amid(alpha: -1, lambda: lambda), try Divergence.skl(alpha: lambda))
      try expectSame(unfused(mine), skewed, outcomes, tolerance: 1e-11)
      #expect(mine.upperBound == skewed.upperBound)
      let loss = LogitLoss(vocabulary: 40)
      let (teacher, student) = shape.logits(seed: 902, count: 40)
      for teacher in [LogitLoss.Teacher.logits(teacher), .sparse(sparseSignal(teacher, k: 4))] {
        let a = loss(mine, student: student, teacher: teacher), b = loss(skewed, student: student, teacher: teacher)
        #expect(a.sums == b.sums && a.gradient == b.gradient)
      }
    }
    let logM = zip(outcomes.teacher, outcomes.student).map { 0.1 * $0 + 0.9 * $1 }
    let normaliser = logSumExp(logM)
    let expected = zip(outcomes.teacher, logM).reduce(0.0) { $0 + exp($1.0) * ($1.0 - $1.1 + normaliser) }
    expectClose(
      try Divergence.amid(alpha: 1, lambda: 0.1).evaluate(outcomes).value, expected, absolute: 1e-6, relative: 1e-7)
    // The limit is no step.
    expectClose(
      try Divergence.amid(alpha: 0.999, lambda: 0.1).evaluate(outcomes).value, expected, relative: 0.1)
  }

  @Test("ToDi's value is that of both KLs together; AKL's lies between them", arguments: LogitShape.allCases)
  func values(_ shape: LogitShape) throws {
    for hasTail in [false, true] {
      let outcomes = outcomes(shape, hasTail: hasTail)
      let forward = Divergence.fkl.evaluate(outcomes).value, reverse = Divergence.rkl.evaluate(outcomes).value
      expectClose(Divergence.todi.evaluate(outcomes).value, forward + reverse, relative: 1e-10)
      let both = Divergence.akl.evaluate(outcomes).value
      #expect(both >= min(forward, reverse) - 1e-9 && both <= max(forward, reverse) + 1e-9)
    }
  }

  @Test("AKL's head has mu of the teacher's mass, its first token at least, and never 'any other'")
  func head() throws {
    let teacher = [0.3, 0.2, 0.1, 0.4], student = [0.1, 0.25, 0.05, 0.6]
    func share(mu: Float, hasTail: Bool) throws -> Double {
      let outcomes = Outcomes(teacher: teacher.map { log($0) }, student: student.map { log($0) }, hasTail: hasTail)
      let forward = Divergence.fkl.evaluate(outcomes).value, reverse = Divergence.rkl.evaluate(outcomes).value
      return (try Divergence.akl(mu: mu).evaluate(outcomes).value - reverse) / (forward - reverse)
    }
    // Gaps are .2, .05, .05 and .2.
    expectClose(try share(mu: 0.5, hasTail: true), 0.25 / 0.5, absolute: 1e-9)
    expectClose(try share(mu: 0, hasTail: true), 0.2 / 0.5, absolute: 1e-9)
    expectClose(try share(mu: 1, hasTail: true), 0.3 / 0.5, absolute: 1e-9)
    // As an id the last is the most probable one.
    expectClose(try share(mu: 0.5, hasTail: false), 0.2 / 0.5, absolute: 1e-9)
  }

  @Test("held weights: the gradient is that of the value with the weights as they are", arguments: LogitShape.allCases)
  func held(_ shape: LogitShape) {
    let outcomes = outcomes(shape)
    func both(_ forward: (Double, Double) -> Double) -> [Double] {
      let slopes = zip(outcomes.teacher, outcomes.student).map { logP, logQ in
        let weight = forward(logP, logQ)
        return -weight * exp(logP) + (1 - weight) * exp(logQ) * (logQ - logP + 1)
      }
      return outcomes.logitGradient(slopes)
    }
    let reverse = Divergence.rkl.evaluate(outcomes).value
    expectClose(
      Divergence.todi.evaluate(outcomes).gradient, both { exp($0) / (exp($0) + exp($1)) },
      absolute: 1e-11 * (1 + reverse))
    let forward = Divergence.fkl.evaluate(outcomes).value
    guard abs(forward - reverse) > 1e-6 else { return }
    let share = (Divergence.akl.evaluate(outcomes).value - reverse) / (forward - reverse)
    expectClose(Divergence.akl.evaluate(outcomes).gradient, both { _, _ in share }, absolute: 1e-9 * (1 + reverse))
  }

  @Test("parameters outside their bounds, or that cannot stand together, are refused by name")
  func bounds() {
    expectDiagnostic(field: "beta", saying: "both 0") { _ = try Divergence.ab(alpha: 0, beta: 0) }
    expectDiagnostic(field: "alpha", saying: "1e-3", "0.2") { _ = try Divergence.ab(alpha: 1e-4, beta: 1) }
    expectDiagnostic(field: "beta", saying: "between") { _ = try Divergence.ab(alpha: 1, beta: .nan) }
    expectDiagnostic(field: "mu", saying: "0.5") { _ = try Divergence.akl(mu: 1.5) }
    expectDiagnostic(field: "alpha", saying: "-1") { _ = try Divergence.amid(alpha: 2, lambda: 0.1) }
    expectDiagnostic(field: "lambda", saying: "0.1") { _ = try Divergence.amid(alpha: 0, lambda: 1) }
  }
}
