import Divergences
import Glibc
import RandomStreams
import TestSupport
import Testing

@Suite("The sampled reverse KL") struct SampledReverseKLTests {
  private static let words = 10

  @Test("over 100,000 words that the student draws its gradient and value are those of reverse KL, within 1 %")
  func expectation() {
    let (teacher, student) = LogitShape.normal.logits(seed: 31, count: Self.words)
    let logP = logSoftmax(teacher), logQ = logSoftmax(student)
    let exact = Divergence.rkl.evaluate(Outcomes(teacher: logP, student: logQ))
    var stream = RandomStream(seed: 5, name: "words")
    var counts = [Int](repeating: 0, count: Self.words)
    let draws = 100_000
    for _ in 0..<draws {
      var u = stream.uniformDouble(), word = 0
      while word < Self.words - 1, u >= exp(logQ[word]) {
        u -= exp(logQ[word])
        word += 1
      }
      counts[word] += 1
    }
    let loss = LogitLoss(vocabulary: Self.words)
    var value = 0.0, gradient = [Double](repeating: 0, count: Self.words)
    for (word, count) in counts.enumerated() where count > 0 {
      let one = loss(nil, student: student, teacher: .sampled([Float(logP[word])]), targets: [Int32(word)])
      expectClose(one.sums.divergence, logQ[word] - logP[word], absolute: 1e-5)
      value += Double(count) / Double(draws) * one.sums.divergence
      for index in gradient.indices { gradient[index] += Double(count) / Double(draws) * Double(one.gradient[index]) }
    }
    expectClose(value, exact.value, relative: 0.01)
    let norm = exact.gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let error = zip(gradient, exact.gradient).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    #expect(error < 0.01 * norm, "\(error / norm)")
  }

  @Test("the advantage is held: the gradient is its product with that of the log-prob, beside a cross-entropy's")
  func held() {
    let (_, student) = LogitShape.peaked.logits(seed: 32, count: 40)
    let loss = LogitLoss(vocabulary: 40)
    let plain = loss(nil, student: student, teacher: .none, targets: [7], crossEntropyWeight: 1)
    let advantage = -1.5 + plain.sums.crossEntropy
    let sampled = loss(
      nil, student: student, teacher: .sampled([-1.5]), targets: [7], crossEntropyWeight: 0.25, scale: 0.5)
    expectClose(sampled.sums.divergence, -advantage, absolute: 1e-6)
    expectClose(
      sampled.gradient.map(Double.init), plain.gradient.map { 0.5 * (advantage + 0.25) * Double($0) }, absolute: 1e-6)
  }

  @Test("a masked row has no gradient, and a token that the teacher rules out no infinity") func rows() {
    let (_, student) = LogitShape.normal.logits(seed: 33, count: 80)
    let (sums, gradient) = LogitLoss(vocabulary: 40)(
      nil, student: student, teacher: .sampled([-1, -.infinity]), targets: [1, 2], divergenceRowWeights: [0, 1])
    #expect(gradient.prefix(40).allSatisfy { $0 == 0 } && gradient.allSatisfy(\.isFinite))
    #expect(sums.divergence.isFinite && sums.divergence > 900 && sums.divergenceRows == 1)
  }
}
