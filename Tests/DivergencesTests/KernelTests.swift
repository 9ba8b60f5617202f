import CKernels
import Glibc
import TestSupport
import Testing

/// Every variant of the row passes that this CPU runs, against double arithmetic.
@Suite("Row kernels in every variant")
@safe struct KernelTests {
  @Test("softmax, top-k and exponentials at awkward lengths", arguments: 0...Int(kernelVariantSupported()))
  func rows(_ variant: Int) {
    let kernels = kernelTable(variant)
    for count in [1, 3, 15, 16, 17, 64, 65, 127, 129, 2047, 2049, 5000] {
      var logits = GoldenNumbers.bells(seed: count, count: count).map { Float($0 * 9) }
      let softmax = unsafe kernels.lossSoftmax(logits, count)
      #expect(softmax.maximum == logits.max() && softmax.finite == 1)
      expectClose(Double(softmax.maximum) + log(softmax.sum), logSumExp(logits.map(Double.init)), absolute: 5e-7)
      for k in [1, count / 2, count] where k > 0 {
        var ids = [Int32](repeating: 0, count: k)
        var values = [Float](repeating: 0, count: k)
        unsafe kernels.lossTop(logits, count, k, &ids, &values)
        let order = logits.indices.sorted { logits[$0] > logits[$1] }
        #expect(ids == order.prefix(k).map(Int32.init) && values == order.prefix(k).map { logits[$0] })
      }
      let expected = logits.map { 0.5 * exp(Double($0 - softmax.maximum)) }
      unsafe kernels.lossExponentials(&logits, count, softmax.maximum, 0.5)
      expectClose(logits.map(Double.init), expected, relative: 4e-7, "\(count)")
    }
  }

  @Test("a NaN anywhere shows in the softmax", arguments: 0...Int(kernelVariantSupported()))
  func notANumber(_ variant: Int) {
    let kernels = kernelTable(variant)
    for place in [0, 5, 31, 32, 99] {
      var logits = [Float](repeating: 1, count: 100)
      logits[place] = .nan
      let softmax = unsafe kernels.lossSoftmax(logits, 100)
      #expect(softmax.finite == 0 && softmax.sum.isNaN)
    }
  }

  @Test("the variants agree on every divergence", arguments: [lossSKL, lossSRKL, lossJSD, lossTVD].map(\.rawValue))
  func agreement(_ kind: UInt32) {
    let (teacher, student) = LogitShape.normal.logits(seed: 5, count: 3001)
    for skew: Float in [0, 0.1, 0.7] where skew > 0 || kind != lossJSD.rawValue {
      var results: [(sums: LossSums, w: [Float], q: [Float])] = []
      for variant in 0...Int(kernelVariantSupported()) {
        let kernels = kernelTable(variant)
        let p = unsafe kernels.lossSoftmax(teacher, 3001)
        let q = unsafe kernels.lossSoftmax(student, 3001)
        var row = LossRow(
          kind: LossKind(rawValue: kind), skew: skew, teacherMaximum: p.maximum, teacherInverseSum: Float(1 / p.sum),
          teacherFloor: -1000, studentMaximum: q.maximum, studentInverseSum: Float(1 / q.sum),
          logSumDifference: Float(log(q.sum) - log(p.sum)))
        var w = teacher
        var probabilities = student
        let sums = unsafe kernels.lossTerms(&row, &w, &probabilities, 3001)
        results.append((sums, w, probabilities))
      }
      for result in results {
        expectClose(result.sums.value, results[0].sums.value, relative: 2e-6, "kind \(kind) skew \(skew)")
        expectClose(result.sums.centre, results[0].sums.centre, absolute: 1e-7, relative: 2e-6)
        expectClose(result.w, results[0].w, absolute: 1e-8, relative: 1e-5)
        expectClose(result.q, results[0].q, absolute: 0, relative: 1e-6)
      }
    }
  }

  private func kernelTable(_ variant: Int) -> LossKernels {
    unsafe withUnsafePointer(to: lossKernelVariants) { tuple in
      unsafe tuple.withMemoryRebound(to: LossKernels.self, capacity: Int(KERNEL_VARIANTS)) { unsafe $0[variant] }
    }
  }
}
