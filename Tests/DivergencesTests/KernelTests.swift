import CKernels
import Divergences
import Glibc
import TestSupport
import Testing

/// Every variant of the row passes that this CPU runs, against double arithmetic.
@Suite("Row kernels in every variant")
@safe struct KernelTests {
  @Test("normalisers, top-k and exponentials at awkward lengths", arguments: 0...Int(kernelVariantSupported()))
  func rows(_ variant: Int) {
    let kernels = kernelTable(variant)
    for count in [1, 3, 15, 16, 17, 64, 65, 127, 129, 2047, 2049, 5000] {
      var logits = GoldenNumbers.bells(seed: count, count: count).map { Float($0 * 9) }
      let normalizer = unsafe kernels.lossNormalizer(logits, count)
      #expect(normalizer.maximum == logits.max() && normalizer.finite == 1)
      expectClose(Double(normalizer.maximum) + log(normalizer.sum), logSumExp(logits.map(Double.init)), absolute: 5e-7)
      for k in [1, count / 2, count] where k > 0 {
        var ids = [Int32](repeating: 0, count: k)
        var values = [Float](repeating: 0, count: k)
        unsafe kernels.lossTop(logits, count, k, &ids, &values)
        let order = logits.indices.sorted { logits[$0] > logits[$1] }
        #expect(ids == order.prefix(k).map(Int32.init) && values == order.prefix(k).map { logits[$0] })
      }
      let expected = logits.map { 0.5 * exp(Double($0 - normalizer.maximum)) }
      unsafe kernels.lossExponentials(&logits, count, normalizer.maximum, 0.5)
      expectClose(logits.map(Double.init), expected, relative: 4e-7, "\(count)")
    }
  }

  @Test("a NaN anywhere shows in the normaliser", arguments: 0...Int(kernelVariantSupported()))
  func notANumber(_ variant: Int) {
    let kernels = kernelTable(variant)
    for place in [0, 5, 31, 32, 99] {
      var logits = [Float](repeating: 1, count: 100)
      logits[place] = .nan
      let normalizer = unsafe kernels.lossNormalizer(logits, 100)
      #expect(normalizer.finite == 0 && normalizer.sum.isNaN)
    }
  }

  @Test("every divergence's kernel computes its definition", arguments: LogitShape.allCases)
  func definition(_ shape: LogitShape) {
    let count = 3001
    let (teacher, student) = shape.logits(seed: 5, count: count)
    let outcomes = Outcomes(teacher: logSoftmax(teacher), student: logSoftmax(student))
    for divergence in comparisons {
      guard let form = divergence.formula.fusedForm else { continue }
      let expected = divergence.evaluate(outcomes)
      for variant in 0...Int(kernelVariantSupported()) {
        let (value, gradient) = run(form, kernelTable(variant), teacher, student)
        let label = "\(shape) \(divergence) variant \(variant)"
        expectClose(value, expected.value, absolute: 1e-6, relative: 3e-6, label)
        // An entry is a difference of terms as large as the divergence, in fp32.
        let norm = expected.gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
        expectClose(gradient, expected.gradient, absolute: 1e-7 + 1e-5 * norm + 2e-7 * expected.value, label)
      }
    }
  }

  /// The divergence and the gradient with respect to the student's logits, by the kernels of one variant.
  private func run(_ form: FusedForm, _ kernels: LossKernels, _ teacher: [Float], _ student: [Float])
    -> (value: Double, gradient: [Double])
  {
    let count = teacher.count
    let p = unsafe kernels.lossNormalizer(teacher, count)
    let q = unsafe kernels.lossNormalizer(student, count)
    var row = LossRow(
      kind: form.kind, skew: form.skew, teacherMaximum: p.maximum, teacherInverseSum: Float(1 / p.sum),
      teacherFloor: -1000, studentMaximum: q.maximum, studentInverseSum: Float(1 / q.sum),
      logSumDifference: Float(log(q.sum) - log(p.sum)))
    var (w, probabilities) = (teacher, student)
    let sums = unsafe kernels.lossTerms(&row, &w, &probabilities, count)
    return (
      form.scale * sums.value, zip(w, probabilities).map { w, q in form.factor * (Double(w) - Double(q) * sums.centre) }
    )
  }

  private func kernelTable(_ variant: Int) -> LossKernels {
    unsafe withUnsafePointer(to: lossKernelVariants) { tuple in
      unsafe tuple.withMemoryRebound(to: LossKernels.self, capacity: Int(KERNEL_VARIANTS)) { unsafe $0[variant] }
    }
  }
}
