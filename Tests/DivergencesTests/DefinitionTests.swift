import Divergences
import Glibc
import TestSupport
import Testing

/// Every row of the table as its file defines it, without kernels.
@Suite("Divergences as they are defined")
struct DefinitionTests {
  /// A teacher's and a student's distributions over a few outcomes.
  private func distributions(_ shape: LogitShape) -> (teacher: [Double], student: [Float]) {
    let (teacher, student) = shape.logits(seed: 400, count: 13)
    return (logSoftmax(teacher), student)
  }

  @Test("gradients equal finite differences in double", arguments: LogitShape.allCases)
  func finiteDifferences(_ shape: LogitShape) {
    let (teacher, student) = distributions(shape)
    let logits = student.map(Double.init)
    func outcomes(_ logits: [Double]) -> Outcomes {
      let total = logSumExp(logits)
      return Outcomes(teacher: teacher, student: logits.map { $0 - total })
    }
    let step = 1e-5
    for divergence in comparisons where !holdsWeights(divergence) {
      let (value, gradient) = divergence.evaluate(outcomes(logits))
      for index in logits.indices {
        var (above, below) = (logits, logits)
        above[index] += step
        below[index] -= step
        let slope =
          (divergence.evaluate(outcomes(above)).value - divergence.evaluate(outcomes(below)).value) / (2 * step)
        expectClose(gradient[index], slope, absolute: 1e-8 * (1 + value), "\(shape) \(divergence) [\(index)]")
      }
    }
  }

  @Test("0 where student and teacher agree, and within the bound where they do not", arguments: LogitShape.allCases)
  func bounds(_ shape: LogitShape) {
    let (teacher, student) = distributions(shape)
    for divergence in comparisons {
      let same = divergence.evaluate(Outcomes(teacher: teacher, student: teacher))
      #expect(same.value == 0 && same.gradient.allSatisfy { $0.magnitude < 1e-12 }, "\(divergence)")
      let apart = divergence.evaluate(Outcomes(teacher: teacher, student: logSoftmax(student))).value
      #expect(apart > 0 && apart <= (divergence.upperBound ?? .infinity) + 1e-12, "\(divergence): \(apart)")
    }
  }

  @Test("a NaN shows, and a token that the teacher rules out costs no infinity")
  func extremes() {
    let half = log(0.5)
    for divergence in comparisons {
      let unknown = divergence.evaluate(Outcomes(teacher: [half, half], student: [.nan, half]))
      #expect(unknown.value.isNaN, "\(divergence)")
      let ruledOut = divergence.evaluate(Outcomes(teacher: [0, -.infinity], student: [half, half]))
      #expect(ruledOut.value.isFinite && ruledOut.gradient.allSatisfy { $0.isFinite }, "\(divergence)")
    }
    let reverse = Divergence.rkl.evaluate(Outcomes(teacher: [0, -.infinity], student: [half, half])).value
    expectClose(reverse, 500 + half, absolute: 1e-9)
  }

  @Test("a divergence without a kernel has the same loss and gradient, with cross-entropy and without")
  func withoutKernel() throws {
    for shape in LogitShape.allCases {
      let (teacher, student) = shape.logits(seed: 7100, count: 97)
      let loss = LogitLoss(vocabulary: 97)
      for divergence in comparisons {
        let plain = try unfused(divergence)
        #expect(plain.formula.fusedForm == nil)
        for teacher in [LogitLoss.Teacher.logits(teacher), .sparse(sparseSignal(teacher, k: 8))] {
          for crossEntropyWeight: Float in [0, 0.3] {
            func run(_ divergence: Divergence) -> (sums: LossSums, gradient: [Float]) {
              loss(
                divergence, student: student, teacher: teacher, targets: [5], crossEntropyWeight: crossEntropyWeight)
            }
            let (defined, fused) = (run(plain), run(divergence))
            let label = "\(shape) \(divergence)"
            let value = fused.sums.divergence
            expectClose(defined.sums.divergence, value, absolute: 1e-6, relative: 3e-6, label)
            #expect(defined.sums.crossEntropy == fused.sums.crossEntropy, "\(label)")
            expectClose(defined.gradient, fused.gradient, absolute: 1e-6 + 2e-7 * value, relative: 1e-5, label)
          }
        }
      }
    }
  }
}
