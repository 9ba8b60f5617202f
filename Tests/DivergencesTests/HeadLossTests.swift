import Divergences
import TeacherSignal
import Tensor
import TestSupport
import Testing

/// A student with a real head, and a teacher, small enough to differentiate numerically.
private struct Case {
  let rows: Int, width: Int, teacherWidth = 5, vocabulary: Int
  let hidden: Storage, head: Storage, headGradient: Storage, teacherHidden: Storage, teacherHead: Storage
  let targets: [Int32]
  let softCap: Float?

  init(
    rows: Int, width: Int = 6, vocabulary: Int, padding: (student: Int, teacher: Int) = (0, 0), seed: Int = 3,
    softCap: Float? = nil
  ) {
    func numbers(_ count: Int, _ seed: Int, _ scale: Double) -> [Float] {
      GoldenNumbers.bells(seed: seed, count: count).map { Float($0 * scale) }
    }
    self.rows = rows
    self.width = width
    self.vocabulary = vocabulary
    self.softCap = softCap
    hidden = storage(rows, width, numbers(rows * width, seed, 2))
    // Padding rows come after the others and are large, so that a leak shows.
    head = storage(
      vocabulary + padding.student, width,
      numbers(vocabulary * width, seed + 1, 1) + numbers(padding.student * width, seed + 2, 9))
    headGradient = Storage(shape: [vocabulary + padding.student, width])
    teacherHidden = storage(rows, teacherWidth, numbers(rows * teacherWidth, seed + 3, 2))
    teacherHead = storage(
      vocabulary + padding.teacher, teacherWidth,
      numbers(vocabulary * teacherWidth, seed + 4, 1) + numbers(padding.teacher * teacherWidth, seed + 5, 9))
    targets = (0..<rows).map { Int32(($0 * 7 + 1) % vocabulary) }
  }

  /// The student's head, which trains.
  func trained(_ precision: Precision = .fp32) -> Head {
    let table = Parameter(name: "head", role: .decayed, value: head.tensor, gradient: headGradient.tensor)
    return Head(OutputHead(table, softCap: softCap), vocabulary: vocabulary, precision: precision)
  }

  var headOfTeacher: Head {
    let table = Parameter(name: "head", role: .decayed, value: teacherHead.tensor)
    return Head(reading: OutputHead(table, softCap: softCap), vocabulary: vocabulary)
  }

  func signal(k: Int) throws -> SparseSignal {
    try Scorer.topK(
      hidden: teacherHidden.tensor, head: headOfTeacher, targets: targets, k: k, arena: Arena())
  }

  var live: TeacherRows { .dense(hidden: teacherHidden.tensor, head: headOfTeacher) }

  struct Result: Equatable {
    var sums = LossSums()
    var hidden: [Float] = []
    var head: [Float] = []
  }

  /// The losses and both gradients, the head's from zero.
  func evaluate(
    _ loss: HeadLoss, _ teacher: TeacherRows, scale: Float = 1, divergenceRowWeights: [Float]? = nil,
    crossEntropyRowWeights: [Float]? = nil, precision: Precision = .fp32
  ) -> Result {
    let gradient = Storage(shape: [rows, width])
    headGradient.tensor.fill(0)
    let sums = loss.evaluate(
      hidden: hidden.tensor, head: trained(precision), targets: targets, teacher: teacher,
      divergenceRowWeights: divergenceRowWeights, crossEntropyRowWeights: crossEntropyRowWeights, scale: scale,
      hiddenGradient: gradient.tensor, arena: Arena())
    return Result(sums: sums, hidden: gradient.tensor.array(), head: headGradient.tensor.array())
  }
}

/// Frobenius norm of the difference, over that of the second tensor.
private func relativeDistance(_ actual: [Float], _ expected: [Float]) -> Double {
  let squares = zip(actual, expected).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
  return (squares / expected.reduce(0.0) { $0 + Double($1) * Double($1) }).squareRoot()
}

@Suite("The head fused with the loss")
struct HeadLossTests {
  @Test("gradients with respect to hidden states and head equal finite differences", arguments: [nil, 1.5] as [Float?])
  func finiteDifferences(softCap: Float?) throws {
    let setup = Case(rows: 5, vocabulary: 23, softCap: softCap)
    for divergence in comparisons.filter({ !holdsWeights($0) }) as [Divergence?] + [nil] {
      for teacher in [setup.live, .sparse(try setup.signal(k: 6))] {
        let loss = HeadLoss(divergence: divergence, divergenceWeight: 0.7, crossEntropyWeight: 0.4)
        let result = setup.evaluate(loss, teacher, scale: 0.5)
        func total() -> Double {
          let sums = setup.evaluate(loss, teacher).sums
          return 0.5 * (0.7 * sums.divergence + 0.4 * sums.crossEntropy)
        }
        for (tensor, gradient, name) in [
          (setup.hidden.tensor, result.hidden, "hidden"), (setup.head.tensor, result.head, "head"),
        ] {
          let values = tensor.array()
          for index in stride(from: 1, to: values.count, by: 11) {
            var moved = values
            let step: Float = 4e-3
            moved[index] = values[index] + step
            tensor.copy(from: moved)
            let above = total()
            moved[index] = values[index] - step
            tensor.copy(from: moved)
            let below = total()
            let slope = (above - below) / (2 * Double(step))
            expectClose(
              Double(gradient[index]), slope, absolute: 3e-4, relative: 2e-3,
              "\(divergence?.description ?? "none") \(name)[\(index)]")
          }
          tensor.copy(from: values)
        }
      }
    }
  }

  @Test("rows are the same to the bit whatever the chunks and the threads")
  func chunksAndThreads() throws {
    let setup = Case(rows: 70, width: 16, vocabulary: 211)
    for teacher in [setup.live, .sparse(try setup.signal(k: 9))] {
      var loss = HeadLoss(divergence: .srkl, crossEntropyWeight: 0.1)
      let whole = setup.evaluate(loss, teacher)
      for size in [1, 7, 32, 64, 1000] {
        loss.chunkRows = size
        let parts = setup.evaluate(loss, teacher)
        #expect(parts.sums == whole.sums && parts.hidden == whole.hidden, "chunks of \(size)")
        expectClose(parts.head, whole.head, absolute: 1e-5, relative: 1e-5, "head, chunks of \(size)")
      }
      let threads = Engine.threads
      try Engine.configure(threads: 1)
      let alone = setup.evaluate(HeadLoss(divergence: .srkl, crossEntropyWeight: 0.1), teacher)
      try Engine.configure(threads: threads)
      #expect(alone == whole)
    }
  }

  @Test("bf16 is near fp32, and the same bits on every run and any threads", arguments: [1, 13])
  func bf16(rows: Int) throws {
    let vocabulary = 50257
    let setup = Case(rows: rows, width: 24, vocabulary: vocabulary)
    let teacher = TeacherRows.sparse(try setup.signal(k: 9))
    let scale = 1 / Float(rows)
    var loss = HeadLoss(divergence: .srkl, crossEntropyWeight: 0.1)
    let plain = setup.evaluate(loss, teacher, scale: scale)
    let whole = setup.evaluate(loss, teacher, scale: scale, precision: .bf16)
    // Measured: 8e-5 for the losses, 2.3e-3 for the gradients.
    expectClose(whole.sums.meanDivergence, plain.sums.meanDivergence, relative: 2e-4)
    expectClose(whole.sums.meanCrossEntropy, plain.sums.meanCrossEntropy, relative: 2e-4)
    for (rounded, exact) in [(whole.hidden, plain.hidden), (whole.head, plain.head)] {
      let distance = relativeDistance(rounded, exact)
      #expect((1e-4..<5e-3).contains(distance))
    }
    #expect(setup.evaluate(loss, teacher, scale: scale, precision: .bf16) == whole)
    let threads = Engine.threads
    for count in [1, 2] {
      try Engine.configure(threads: count)
      let again = setup.evaluate(loss, teacher, scale: scale, precision: .bf16)
      try Engine.configure(threads: threads)
      #expect(again == whole, "\(count) threads")
    }
    loss.chunkRows = 5
    let parts = setup.evaluate(loss, teacher, scale: scale, precision: .bf16)
    #expect(parts.sums == whole.sums && parts.hidden == whole.hidden)
    expectClose(parts.head, whole.head, absolute: 1e-6, relative: 1e-5)
  }

  @Test("the same bits on every run, and two halves accumulate to the whole")
  func accumulation() throws {
    let setup = Case(rows: 40, width: 16, vocabulary: 97)
    let signal = try setup.signal(k: 8)
    let loss = HeadLoss(divergence: .skl, crossEntropyWeight: 0.2)
    let whole = setup.evaluate(loss, .sparse(signal), scale: 1 / 40)
    #expect(setup.evaluate(loss, .sparse(signal), scale: 1 / 40) == whole)
    setup.headGradient.tensor.fill(0)
    var sums = LossSums()
    for half in [0..<17, 17..<40] {
      sums += loss.evaluate(
        hidden: setup.hidden.tensor.rows(half), head: setup.trained(), targets: Array(setup.targets[half]),
        teacher: .sparse(signal[half]), scale: 1 / 40, arena: Arena())
    }
    expectClose(sums.divergence, whole.sums.divergence, relative: 1e-6)
    expectClose(sums.crossEntropy, whole.sums.crossEntropy, relative: 1e-6)
    #expect(sums.rows == 40 && sums.divergenceRows == 40)
    expectClose(setup.headGradient.tensor.array(), whole.head, absolute: 1e-7, relative: 1e-5)
  }

  @Test("heads padded to different sizes: only the common vocabulary counts")
  func padding() throws {
    let plain = Case(rows: 9, vocabulary: 31)
    let padded = Case(rows: 9, vocabulary: 31, padding: (5, 12))
    let loss = HeadLoss(divergence: .jsd, crossEntropyWeight: 1)
    let signal = try plain.signal(k: 7)
    let paddedSignal = try padded.signal(k: 7)
    #expect(signal == paddedSignal)
    for sparse in [false, true] {
      let a = plain.evaluate(loss, sparse ? .sparse(signal) : plain.live)
      let b = padded.evaluate(loss, sparse ? .sparse(paddedSignal) : padded.live)
      #expect(a.sums == b.sums && a.hidden == b.hidden)
      #expect(Array(b.head.prefix(31 * 6)) == a.head)
      #expect(b.head.dropFirst(31 * 6).allSatisfy { $0 == 0 })
    }
  }

  @Test("a masked row gives neither loss nor gradient, even where it is NaN")
  func masks() throws {
    let setup = Case(rows: 4, vocabulary: 17)
    let signal = try setup.signal(k: 3)
    let loss = HeadLoss(divergence: .srkl, crossEntropyWeight: 0.5)
    let mask: [Float] = [1, 0, 0.5, 1]
    for teacher in [setup.live, .sparse(signal)] {
      let clean = setup.evaluate(loss, teacher, divergenceRowWeights: mask, crossEntropyRowWeights: mask)
      #expect(clean.hidden[6..<12].allSatisfy { $0 == 0 } && clean.sums.perRow[1] == RowLoss())
      #expect(clean.sums.divergenceRows == 2.5 && clean.sums.crossEntropyRows == 2.5 && clean.sums.rows == 4)
      let unmasked = setup.evaluate(loss, teacher).sums.perRow
      expectClose(
        clean.sums.divergence, unmasked[0].divergence + 0.5 * unmasked[2].divergence + unmasked[3].divergence,
        relative: 1e-12)
      let half = setup.evaluate(loss, teacher, scale: 0.5)
      expectClose(Array(clean.hidden[12..<18]), Array(half.hidden[12..<18]), absolute: 1e-7)

      var values = setup.hidden.tensor.array()
      let kept = values
      values[7] = .nan
      setup.hidden.tensor.copy(from: values)
      let poisoned = setup.evaluate(loss, teacher, divergenceRowWeights: mask, crossEntropyRowWeights: mask)
      #expect(poisoned.sums == clean.sums)
      #expect(Array(poisoned.hidden[0..<6]) == Array(clean.hidden[0..<6]) && poisoned.hidden.allSatisfy { $0.isFinite })
      #expect(setup.evaluate(loss, teacher).sums.divergence.isNaN, "a NaN in a row that counts must show")
      setup.hidden.tensor.copy(from: kept)
    }
  }

  @Test("terms of zero weight are skipped; no rows give no loss")
  func zeroWeights() throws {
    let setup = Case(rows: 3, vocabulary: 11)
    let silent = setup.evaluate(
      HeadLoss(divergence: .fkl, divergenceWeight: 0, crossEntropyWeight: 0), setup.live)
    #expect(silent.hidden.allSatisfy { $0 == 0 } && silent.head.allSatisfy { $0 == 0 })
    #expect(silent.sums.divergence == 0 && silent.sums.divergenceRows == 0 && silent.sums.crossEntropy > 0)
    let tuning = setup.evaluate(HeadLoss(divergence: nil, crossEntropyWeight: 1), .none)
    #expect(tuning.sums.crossEntropy == silent.sums.crossEntropy && tuning.sums.divergence == 0)
    let nothing = HeadLoss(divergence: .fkl).evaluate(
      hidden: setup.hidden.tensor.rows(0..<0), head: setup.trained(), targets: [],
      teacher: .sparse(SparseSignal()), hiddenGradient: Storage(shape: [0, 6]).tensor, arena: Arena())
    #expect(
      nothing.rows == 0 && nothing.divergence == 0 && nothing.meanDivergence == 0 && nothing.meanCrossEntropy == 0)
    #expect(setup.headGradient.tensor.array() == tuning.head)
  }

  @Test("the comparison of two models agrees with the losses in both directions")
  func comparison() throws {
    let setup = Case(rows: 60, width: 8, vocabulary: 301, padding: (3, 0))
    let sums = HeadComparison.evaluate(
      hidden: setup.hidden.tensor, head: setup.trained(), teacherHidden: setup.teacherHidden.tensor,
      teacherHead: setup.headOfTeacher, targets: setup.targets, arena: Arena())
    let forward = setup.evaluate(HeadLoss(divergence: .fkl), setup.live).sums
    let reverse = setup.evaluate(HeadLoss(divergence: .rkl), setup.live).sums
    expectClose(sums.forwardKL, forward.divergence, relative: 1e-6)
    expectClose(sums.reverseKL, reverse.divergence, relative: 1e-6)
    expectClose(sums.studentNLL, forward.crossEntropy, relative: 1e-9)
    let signal = try setup.signal(k: 1)
    expectClose(sums.teacherNLL, -signal.targetLogProb.reduce(0.0) { $0 + Double($1) }, relative: 1e-6)
    let own = try Scorer.topK(
      hidden: setup.hidden.tensor, head: setup.trained(), targets: setup.targets, k: 1, arena: Arena())
    #expect(sums.rows == 60 && sums.agreements == zip(own.ids, signal.ids).count { $0 == $1 })
    let twin = HeadComparison.evaluate(
      hidden: setup.hidden.tensor, head: setup.trained(), teacherHidden: setup.hidden.tensor,
      teacherHead: setup.trained(), targets: setup.targets, arena: Arena())
    #expect(twin.forwardKL == 0 && twin.reverseKL == 0 && twin.agreements == 60)
  }
}
